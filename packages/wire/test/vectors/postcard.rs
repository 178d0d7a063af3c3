//! Writes postcard.json with the postcard and blake3 crates: golden vectors from implementations that are not ours.
//!
//! `cargo new vectors`, put this file at `src/main.rs`, then
//! `cargo add postcard@1 -F use-std`, `cargo add serde@1 -F derive`, `cargo add serde_bytes serde-big-array hex blake3`,
//! `cargo run > postcard.json`.
use serde::Serialize;
use serde_big_array::BigArray;
use std::collections::{BTreeMap, BTreeSet};

type Id = [u8; 32];
fn id(n: u8) -> Id { [n; 32] }

#[derive(Serialize)] struct Ticket { class: Id, #[serde(with = "serde_bytes")] data: Vec<u8> }
#[derive(Serialize)] struct Version { start: u64, update: u64 }
#[derive(Serialize)] struct PeerEntry {
    peer: Id, protocol: u16, network: Id, version: Version, addresses: Vec<String>,
    tags: BTreeSet<Id>, groups: BTreeSet<Id>, tickets: Vec<Ticket>, departed: bool,
}
#[derive(Serialize)] struct Signed { entry: PeerEntry, #[serde(with = "BigArray")] signature: [u8; 64] }
#[derive(Serialize)] struct Start { network: Id, group: Id, proof: [u8; 32], #[serde(with = "serde_bytes")] bonds: Vec<u8>, incarnation: u64 }
#[derive(Serialize)] struct End { proof: [u8; 32], #[serde(with = "serde_bytes")] bonds: Vec<u8>, incarnation: u64 }
#[derive(Serialize)] #[allow(dead_code)] enum Quorum { Dynamic, Voters { voters: BTreeSet<Id>, witnesses: BTreeSet<Id> } }
#[derive(Serialize)] struct Config {
    heartbeat: u64, jitter: u64, missed: u64, election: u64, election_jitter: u64, bootstrap: u64,
    forward: u64, query: u64, quorum: Quorum, max_command: u64, max_sessions: u64,
}
#[derive(Serialize)] enum Bond {
    Ping, Pong, Departure, PeerEntryUpdate(Signed), BondFormed(Id, Id), Raft(#[serde(with = "serde_bytes")] Vec<u8>), BondLost(Id, Id),
}
#[derive(Serialize)] #[allow(dead_code)] enum Sync {
    Start { network: Id }, Digest { network: Id, versions: Vec<(Id, Version)> }, Request { peers: Vec<Id> },
    Entries { entries: Vec<Signed>, last: bool },
}
#[derive(Serialize)] #[allow(dead_code)] enum Announce { Hello { network: Id }, Entry(Signed) }
#[derive(Serialize)] struct Member { peer: Id, incarnation: u64 }
#[derive(Serialize)] #[allow(dead_code)] enum LogEntry {
    Opening { forced: bool, members: Vec<Member>, learners: Vec<Id> }, View { members: Vec<Member>, learners: Vec<Id> },
    Command(#[serde(with = "serde_bytes")] Vec<u8>), CommandMore(#[serde(with = "serde_bytes")] Vec<u8>),
}

fn entry() -> PeerEntry {
    PeerEntry {
        peer: id(1), protocol: 1, network: id(2), version: Version { start: 1_900_000_000_000, update: 1_900_000_000_300 },
        addresses: vec!["127.0.0.1:4433".into(), "[::1]:4433".into()],
        tags: BTreeSet::from([id(9), id(3)]), groups: BTreeSet::from([id(200), id(4)]),
        tickets: vec![Ticket { class: id(5), data: vec![0xff; 130] }], departed: false,
    }
}
fn signed() -> Signed { Signed { entry: entry(), signature: [6; 64] } }
fn config(quorum: Quorum) -> Config {
    Config { heartbeat: 500, jitter: 150, missed: 10, election: 2000, election_jitter: 500, bootstrap: 3000,
             forward: 2000, query: 2000, quorum, max_command: 1 << 20, max_sessions: 10_000 }
}

fn main() {
    let mut out: BTreeMap<String, String> = BTreeMap::new();
    macro_rules! put { ($name:expr, $value:expr) => { out.insert($name.to_string(), hex::encode(postcard::to_stdvec(&$value).unwrap())); } }
    for v in [0u8, 127, 128, 255] { put!(format!("u8 {v}"), v); }
    for v in [0u16, 127, 128, 16383, 16384, 65535] { put!(format!("u16 {v}"), v); }
    for v in [0u32, 127, 128, 16384, 2097152, 268435456, u32::MAX] { put!(format!("u32 {v}"), v); }
    for v in [0u64, 128, 1 << 32, (1 << 53) - 1, 1 << 53, 1 << 63, u64::MAX] { put!(format!("u64 {v}"), v); }
    for v in [0i8, 1, -1, 127, -128] { put!(format!("i8 {v}"), v); }
    for v in [0i16, 1, -1, 63, -64, 64, -65, i16::MAX, i16::MIN] { put!(format!("i16 {v}"), v); }
    for v in [0i32, 1, -1, 64, -65, i32::MAX, i32::MIN] { put!(format!("i32 {v}"), v); }
    for v in [0i64, 1, -1, 1 << 40, i64::MAX, i64::MIN] { put!(format!("i64 {v}"), v); }
    for v in [0f32, 1.5, -32.005859375, f32::MAX] { put!(format!("f32 {v}"), v); }
    for v in [0f64, 1.5, -32.005859375, 1e300] { put!(format!("f64 {v:?}"), v); }
    for v in [false, true] { put!(format!("bool {v}"), v); }
    put!("unit", ());
    for v in ["", "a", "grüße", "😀\u{feff}\u{0}"] { put!(format!("str {v}"), v); }
    put!("str 200 x", "x".repeat(200));
    put!("bytes 0", serde_bytes::Bytes::new(&[]));
    put!("bytes 3", serde_bytes::Bytes::new(&[1, 2, 3]));
    put!("bytes 128 zeros", serde_bytes::Bytes::new(&[0; 128]));
    put!("fixedBytes 3", [1u8, 2, 3]);
    put!("option none", None::<u16>);
    put!("option 300", Some(300u16));
    put!("vec u16", vec![1u16, 300, 65535]);
    put!("tuple", (true, 300u16, "x"));
    put!("set str", BTreeSet::from(["b", "a", "aa", "\u{ffff}", "😀"]));
    put!("map str u16", BTreeMap::from([("b", 1u16), ("a", 300), ("\u{ffff}", 3), ("😀", 4)]));
    put!("PeerEntry", entry());
    put!("SignedPeerEntry", signed());
    put!("HandshakeStart", Start { network: id(2), group: id(7), proof: [8; 32], bonds: vec![1; 200], incarnation: u64::MAX });
    put!("HandshakeEnd", End { proof: [8; 32], bonds: vec![], incarnation: 0 });
    let dynamic = config(Quorum::Dynamic);
    let voters = config(Quorum::Voters { voters: BTreeSet::from([id(2), id(1), id(3)]), witnesses: BTreeSet::from([id(3)]) });
    put!("ConsensusConfig dynamic", dynamic);
    put!("ConsensusConfig voters", voters);
    put!("BondMessage Ping", Bond::Ping);
    put!("BondMessage Pong", Bond::Pong);
    put!("BondMessage Departure", Bond::Departure);
    put!("BondMessage PeerEntryUpdate", Bond::PeerEntryUpdate(signed()));
    put!("BondMessage BondFormed", Bond::BondFormed(id(1), id(2)));
    put!("BondMessage Raft", Bond::Raft(vec![1, 2, 3]));
    put!("BondMessage BondLost", Bond::BondLost(id(1), id(2)));
    put!("SyncMessage Start", Sync::Start { network: id(2) });
    put!("SyncMessage Digest", Sync::Digest { network: id(2), versions: vec![(id(1), Version { start: 300, update: 1 })] });
    put!("SyncMessage Request", Sync::Request { peers: vec![id(2), id(1)] });
    put!("SyncMessage Entries", Sync::Entries { entries: vec![signed()], last: true });
    put!("AnnounceMessage Hello", Announce::Hello { network: id(2) });
    put!("AnnounceMessage Entry", Announce::Entry(signed()));
    let members = || vec![Member { peer: id(2), incarnation: u64::MAX }, Member { peer: id(1), incarnation: 0 }];
    put!("LogEntry Opening", LogEntry::Opening { forced: true, members: members(), learners: vec![id(3)] });
    put!("LogEntry View", LogEntry::View { members: members(), learners: vec![] });
    put!("LogEntry Command", LogEntry::Command(vec![1, 2, 3]));
    put!("LogEntry CommandMore", LogEntry::CommandMore(vec![]));
    let mut hash = |name: &str, parts: &[&[u8]]| {
        let mut hasher = blake3::Hasher::new();
        for part in parts { hasher.update(part); }
        out.insert(name.to_string(), hasher.finalize().to_hex().to_string());
    };
    hash("UniqueId.from my-app", &[b"my-app"]);
    hash("UniqueId.from grüße", &["grüße".as_bytes()]);
    hash("hashed", &[&id(1)]);
    hash("derive id", &[&id(1), &id(2)]);
    hash("derive text", &[&id(1), b"text"]);
    hash("consensusDigest", &[&postcard::to_stdvec(&dynamic).unwrap()]);

    println!("{{");
    let lines: Vec<String> = out.iter().map(|(k, v)| format!("  {:?}: {:?}", k, v).replace("\\u{0}", "\\u0000").replace("\\0", "\\u0000").replace("\\u{feff}", "\\ufeff").replace("\\u{ffff}", "\\uffff")).collect();
    println!("{}\n}}", lines.join(",\n"));
}
