//! Writes `vectors.json`: what the crates postcard and blake3 make of the values in this program.
mod ids;
mod messages;
mod notation;
mod primitives;
mod raft;
mod types;

use notation::{hex, notation, quoted};
use serde::Serialize;

#[derive(Default)]
pub struct Vectors {
    values: Vec<String>,
    hashes: Vec<String>,
}

impl Vectors {
    /// `schema` is the name under which the TypeScript tests find the codec.
    pub fn put<T: Serialize + ?Sized>(&mut self, schema: &str, value: &T) {
        let bytes = postcard::to_stdvec(value).expect("a value that postcard cannot encode");
        self.values.push(format!(
            "    {{ \"schema\": {}, \"bytes\": \"{}\", \"value\": {} }}",
            quoted(schema),
            hex(&bytes),
            notation(value)
        ));
    }

    pub fn hash(&mut self, name: &str, parts: &[&[u8]]) {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(part);
        }
        self.hashes.push(format!("    {}: \"{}\"", quoted(name), hasher.finalize().to_hex()));
    }
}

fn main() -> std::io::Result<()> {
    let mut vectors = Vectors::default();
    primitives::put(&mut vectors);
    messages::put(&mut vectors);
    raft::put(&mut vectors);
    ids::put(&mut vectors);
    let json = format!(
        "{{\n  \"values\": [\n{}\n  ],\n  \"hashes\": {{\n{}\n  }}\n}}\n",
        vectors.values.join(",\n"),
        vectors.hashes.join(",\n")
    );
    std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/vectors.json"), json)
}
