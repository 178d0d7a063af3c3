//! Ids that are derived from other bytes.
use crate::messages::{config, QuorumConfig};
use crate::types::id;
use crate::Vectors;

pub fn put(vectors: &mut Vectors) {
    vectors.hash("UniqueId.from my-app", &[b"my-app"]);
    vectors.hash("UniqueId.from gr\u{fc}\u{df}e", &["gr\u{fc}\u{df}e".as_bytes()]);
    vectors.hash("UniqueId.from nothing", &[]);
    vectors.hash("hashed", &[&id(1).0]);
    vectors.hash("derive id", &[&id(1).0, &id(2).0]);
    vectors.hash("derive text", &[&id(1).0, b"text"]);
    vectors.hash("derive bytes", &[&id(1).0, &[0xff; 40]]);
    let dynamic = postcard::to_stdvec(&config(QuorumConfig::Dynamic)).expect("a configuration");
    vectors.hash("consensusDigest", &[&dynamic]);
}
