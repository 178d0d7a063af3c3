//! What postcard makes of inputs that are no encodings of ours any more, or still are.
use crate::mutator::Mutator;
use crate::notation::{hex, quoted};
use serde::{de::DeserializeOwned, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The longest input, and how many there are of a schema that has few encodings, and of each encoding.
const MAX_BYTES: usize = 600;
const MIN_INPUTS: usize = 96;
const INPUTS_PER_SEED: usize = 6;

#[derive(Default)]
pub struct Verdicts(Vec<Subject>);

struct Subject {
    schema: String,
    judge: fn(&[u8]) -> Option<Vec<u8>>,
    seeds: Vec<Vec<u8>>,
}

impl Verdicts {
    pub fn seed<T: DeserializeOwned + Serialize>(&mut self, schema: &str, bytes: Vec<u8>) {
        match self.0.iter_mut().find(|subject| subject.schema == schema) {
            Some(subject) => subject.seeds.push(bytes),
            None => self.0.push(Subject { schema: schema.into(), judge: judge::<T>, seeds: vec![bytes] }),
        }
    }

    pub fn json(&self) -> String {
        let subjects: Vec<String> = self.0.iter().map(Subject::json).collect();
        format!("{{\n{}\n}}\n", subjects.join(",\n"))
    }
}

/// What is written of what is read, which may be less than all of the input.
fn judge<T: DeserializeOwned + Serialize>(input: &[u8]) -> Option<Vec<u8>> {
    let value: T = postcard::from_bytes(input).ok()?;
    Some(postcard::to_stdvec(&value).expect("a value that was read"))
}

impl Subject {
    fn inputs(&self) -> BTreeSet<Vec<u8>> {
        let mut mutator = Mutator::new(&self.schema);
        let mut inputs = BTreeSet::from_iter(self.seeds.clone());
        for i in 0..MIN_INPUTS.max(INPUTS_PER_SEED * self.seeds.len()) {
            let other = &self.seeds[mutator.below(self.seeds.len())];
            let input = mutator.changed(self.seeds[i % self.seeds.len()].clone(), other);
            // Elements of no bytes cost nothing: postcard would count to 2^64.
            let max = if self.schema == "vec(unit)" { 3 } else { MAX_BYTES };
            if input.len() <= max {
                inputs.insert(input);
            }
        }
        inputs
    }

    fn json(&self) -> String {
        let (mut refused, mut kept, mut changed) = (Vec::new(), Vec::new(), BTreeMap::new());
        for input in self.inputs() {
            match (self.judge)(&input) {
                None => refused.push(input),
                Some(again) if again == input => kept.push(input),
                Some(again) => {
                    changed.insert(input, again);
                }
            }
        }
        let list = |inputs: &[Vec<u8>]| lines("[", inputs.iter().map(|input| quoted(&hex(input))).collect(), "]");
        let pairs = changed.iter().map(|(input, again)| format!("\"{}\": \"{}\"", hex(input), hex(again))).collect();
        format!(
            "  {}: {{\n    \"refused\": {},\n    \"kept\": {},\n    \"changed\": {}\n  }}",
            quoted(&self.schema),
            list(&refused),
            list(&kept),
            lines("{", pairs, "}")
        )
    }
}

fn lines(open: &str, items: Vec<String>, close: &str) -> String {
    if items.is_empty() {
        return format!("{open}{close}");
    }
    let items: Vec<String> = items.iter().map(|item| format!("      {item}")).collect();
    format!("{open}\n{}\n    {close}", items.join(",\n"))
}
