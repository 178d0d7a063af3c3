//! Messages of handshake, bonds and discovery. Fields are in the order of the schemas in packages/wire/src/messages.
use crate::types::{id, Bytes, Fixed, Id, Safe};
use crate::Vectors;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

#[derive(Clone, Deserialize, Serialize)]
struct Ticket {
    ticket_class: Id,
    data: Bytes,
}

#[derive(Clone, Deserialize, Serialize)]
struct PeerEntryVersion {
    start_ms: Safe,
    update_ms: Safe,
}

#[derive(Clone, Deserialize, Serialize)]
struct PeerEntry {
    peer_id: Id,
    protocol_version: u16,
    network_id: Id,
    version: PeerEntryVersion,
    addresses: Vec<String>,
    tags: BTreeSet<Id>,
    groups: BTreeSet<Id>,
    tickets: Vec<Ticket>,
    departed: bool,
}

#[derive(Clone, Deserialize, Serialize)]
struct SignedPeerEntry {
    entry: PeerEntry,
    signature: Fixed<64>,
}

#[derive(Deserialize, Serialize)]
struct HandshakeStart {
    network_id: Id,
    group_id: Id,
    proof: Fixed<32>,
    bonds: Bytes,
    incarnation: u64,
}

#[derive(Deserialize, Serialize)]
struct HandshakeEnd {
    proof: Fixed<32>,
    bonds: Bytes,
    incarnation: u64,
}

#[derive(Clone, Deserialize, Serialize)]
pub enum QuorumConfig {
    Dynamic,
    Voters { voters: BTreeSet<Id>, witnesses: BTreeSet<Id> },
}

#[derive(Deserialize, Serialize)]
pub struct ConsensusConfig {
    heartbeat_interval_ms: Safe,
    heartbeat_jitter_ms: Safe,
    max_missed_heartbeats: Safe,
    election_timeout_ms: Safe,
    election_timeout_jitter_ms: Safe,
    bootstrap_delay_ms: Safe,
    forward_timeout_ms: Safe,
    query_timeout_ms: Safe,
    quorum: QuorumConfig,
    max_command_bytes: Safe,
    max_sessions: Safe,
}

#[derive(Deserialize, Serialize)]
enum BondMessage {
    Ping,
    Pong,
    Departure,
    PeerEntryUpdate(SignedPeerEntry),
    BondFormed(Id, Id),
    Raft(Bytes),
    BondLost(Id, Id),
}

#[derive(Clone, Deserialize, Serialize)]
struct CatalogDigestEntry {
    peer_id: Id,
    version: PeerEntryVersion,
}

#[derive(Deserialize, Serialize)]
enum SyncMessage {
    Start { network_id: Id },
    Digest { network_id: Id, versions: Vec<CatalogDigestEntry> },
    Request { peers: Vec<Id> },
    Entries { entries: Vec<SignedPeerEntry>, last: bool },
}

#[derive(Deserialize, Serialize)]
enum AnnounceMessage {
    Hello { network_id: Id },
    Entry(SignedPeerEntry),
}

fn ticket() -> Ticket {
    Ticket { ticket_class: id(5), data: Bytes(vec![0xff; 130]) }
}

fn version() -> PeerEntryVersion {
    PeerEntryVersion { start_ms: Safe(1_900_000_000_000), update_ms: Safe(1_900_000_000_300) }
}

fn entry() -> PeerEntry {
    PeerEntry {
        peer_id: id(1),
        protocol_version: 1,
        network_id: id(2),
        version: version(),
        addresses: vec!["127.0.0.1:4433".into(), "[::1]:4433".into()],
        tags: BTreeSet::from([id(9), id(3)]),
        groups: BTreeSet::from([id(200), id(4)]),
        tickets: vec![ticket()],
        departed: false,
    }
}

/// Nothing in it, or as much as there can be of a number.
fn bare_entry() -> PeerEntry {
    PeerEntry {
        peer_id: id(0),
        protocol_version: u16::MAX,
        network_id: id(255),
        version: PeerEntryVersion { start_ms: Safe(0), update_ms: Safe((1 << 53) - 1) },
        addresses: vec![],
        tags: BTreeSet::new(),
        groups: BTreeSet::new(),
        tickets: vec![],
        departed: true,
    }
}

fn signed() -> SignedPeerEntry {
    SignedPeerEntry { entry: entry(), signature: Fixed([6; 64]) }
}

fn voters() -> QuorumConfig {
    QuorumConfig::Voters {
        voters: BTreeSet::from([id(2), id(1), id(3)]),
        witnesses: BTreeSet::from([id(3)]),
    }
}

pub fn config(quorum: QuorumConfig) -> ConsensusConfig {
    ConsensusConfig {
        heartbeat_interval_ms: Safe(500),
        heartbeat_jitter_ms: Safe(150),
        max_missed_heartbeats: Safe(10),
        election_timeout_ms: Safe(2000),
        election_timeout_jitter_ms: Safe(500),
        bootstrap_delay_ms: Safe(3000),
        forward_timeout_ms: Safe(2000),
        query_timeout_ms: Safe(2000),
        quorum,
        max_command_bytes: Safe(1 << 20),
        max_sessions: Safe(10_000),
    }
}

pub fn put(vectors: &mut Vectors) {
    vectors.put("Ticket", &ticket());
    vectors.put("PeerEntryVersion", &version());
    vectors.put("PeerEntry", &entry());
    vectors.put("PeerEntry", &bare_entry());
    vectors.put("SignedPeerEntry", &signed());
    vectors.put("HandshakeStart", &HandshakeStart {
        network_id: id(2),
        group_id: id(7),
        proof: Fixed([8; 32]),
        bonds: Bytes(vec![1; 200]),
        incarnation: u64::MAX,
    });
    vectors.put("HandshakeEnd", &HandshakeEnd { proof: Fixed([8; 32]), bonds: Bytes(vec![]), incarnation: 0 });
    vectors.put("QuorumConfig", &QuorumConfig::Dynamic);
    vectors.put("QuorumConfig", &voters());
    vectors.put("ConsensusConfig", &config(QuorumConfig::Dynamic));
    vectors.put("ConsensusConfig", &config(voters()));
    for message in [
        BondMessage::Ping,
        BondMessage::Pong,
        BondMessage::Departure,
        BondMessage::PeerEntryUpdate(signed()),
        BondMessage::BondFormed(id(1), id(2)),
        BondMessage::Raft(Bytes(vec![1, 2, 3])),
        BondMessage::BondLost(id(1), id(2)),
    ] {
        vectors.put("BondMessage", &message);
    }
    let digest = CatalogDigestEntry { peer_id: id(1), version: version() };
    vectors.put("CatalogDigestEntry", &digest);
    for message in [
        SyncMessage::Start { network_id: id(2) },
        SyncMessage::Digest { network_id: id(2), versions: vec![digest] },
        SyncMessage::Request { peers: vec![id(2), id(1)] },
        SyncMessage::Entries { entries: vec![signed()], last: true },
    ] {
        vectors.put("SyncMessage", &message);
    }
    vectors.put("AnnounceMessage", &AnnounceMessage::Hello { network_id: id(2) });
    vectors.put("AnnounceMessage", &AnnounceMessage::Entry(signed()));
}
