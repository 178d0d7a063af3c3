//! Writes what the crates postcard and blake3 make of the values in this program (`vectors.json`), and what postcard
//! makes of changed encodings of them (`verdicts.json`).
mod ids;
mod messages;
mod mutator;
mod notation;
mod primitives;
mod raft;
mod types;
mod verdicts;

use notation::{hex, notation, quoted};
use serde::{de::DeserializeOwned, Serialize};
use verdicts::Verdicts;

#[derive(Default)]
pub struct Vectors {
    values: Vec<String>,
    hashes: Vec<String>,
    handshake: Vec<String>,
    verdicts: Verdicts,
}

impl Vectors {
    /// `schema` is the name under which the TypeScript tests find the codec.
    pub fn put<T: DeserializeOwned + Serialize>(&mut self, schema: &str, value: &T) {
        let bytes = postcard::to_stdvec(value).expect("a value that postcard cannot encode");
        self.values.push(format!(
            "    {{ \"schema\": {}, \"bytes\": \"{}\", \"value\": {} }}",
            quoted(schema),
            hex(&bytes),
            notation(value)
        ));
        self.verdicts.seed::<T>(schema, bytes);
    }

    /// Bytes to be judged, and changed, that are no encoding of ours.
    pub fn judge<T: DeserializeOwned + Serialize>(&mut self, schema: &str, bytes: &[u8]) {
        self.verdicts.seed::<T>(schema, bytes.to_vec());
    }

    pub fn hash(&mut self, name: &str, parts: &[&[u8]]) {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(part);
        }
        self.hashes.push(format!("    {}: \"{}\"", quoted(name), hasher.finalize().to_hex()));
    }

    /// Something that `@mosaik/handshake` derives.
    pub fn handshake(&mut self, name: &str, bytes: &[u8]) {
        self.handshake.push(format!("    {}: \"{}\"", quoted(name), hex(bytes)));
    }
}

fn main() -> std::io::Result<()> {
    let mut vectors = Vectors::default();
    primitives::put(&mut vectors);
    messages::put(&mut vectors);
    raft::put(&mut vectors);
    ids::put(&mut vectors);
    let json = format!(
        "{{\n  \"values\": [\n{}\n  ],\n  \"hashes\": {{\n{}\n  }},\n  \"handshake\": {{\n{}\n  }}\n}}\n",
        vectors.values.join(",\n"),
        vectors.hashes.join(",\n"),
        vectors.handshake.join(",\n")
    );
    std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/vectors.json"), json)?;
    std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/verdicts.json"), vectors.verdicts.json())
}
