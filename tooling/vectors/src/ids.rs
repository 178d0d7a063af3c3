//! Ids and proofs that are derived from other bytes.
use crate::messages::{config, QuorumConfig};
use crate::types::{id, Id};
use crate::Vectors;
use blake3::Hasher;

const GROUP_KEY: [u8; 32] = [7; 32];
const SESSION_SECRET: [u8; 32] = [0xa5; 32];

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
    group_ids(vectors, &dynamic);
    keyed(vectors);
}

/// Machine `id(1)`, state sync `id(2)`, validators `id(3)` and `id(4)`.
fn group_ids(vectors: &mut Vectors, config: &[u8]) {
    let digest = *blake3::hash(config).as_bytes();
    let mut group = *blake3::hash(&GROUP_KEY).as_bytes();
    for part in [digest, id(1).0, id(2).0] {
        group = derive(group, part);
    }
    vectors.handshake("GroupId", &group);
    for validator in [id(3).0, id(4).0] {
        group = derive(group, validator);
    }
    vectors.handshake("GroupId with validators", &group);
}

fn derive(id: [u8; 32], data: [u8; 32]) -> [u8; 32] {
    *Hasher::new().update(&id).update(&data).finalize().as_bytes()
}

/// Group `id(7)`, peers `id(1)` and `id(2)`.
fn keyed(vectors: &mut Vectors) {
    let [Id(lower), Id(higher)] = [id(1), id(2)];
    let bond = Hasher::new_keyed(&GROUP_KEY).update(b"mosaik/groups/1 bond").update(&lower).update(&higher).finalize();
    vectors.handshake("BondId", bond.as_bytes());

    let channel = std::array::from_fn(|i| SESSION_SECRET[i] ^ GROUP_KEY[i]);
    for (name, prover) in [("proof of the lower", lower), ("proof of the higher", higher)] {
        let mut hasher = Hasher::new_keyed(&channel);
        let proof = hasher.update(b"mosaik/groups/1 proof").update(&id(7).0).update(&prover).finalize();
        vectors.handshake(name, proof.as_bytes());
    }

    // A sequence of no entries, hidden.
    let mut sealed = [0];
    Hasher::new_keyed(&channel).update(b"mosaik/groups/1 bonds").update(&lower).finalize_xof().fill(&mut sealed);
    vectors.handshake("no bonds, sealed", &sealed);
}
