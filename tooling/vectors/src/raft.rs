//! Log entries and the messages of raft. Fields are in the order of packages/wire/src/messages/raft.ts.
use crate::types::{id, Bytes, Fixed, Id, Safe};
use crate::Vectors;
use serde::{Deserialize, Serialize};

#[derive(Clone, Deserialize, Serialize)]
struct RaftEpoch {
    term: Safe,
    leader: Id,
    nonce: u64,
}

#[derive(Clone, Deserialize, Serialize)]
struct RaftMember {
    peer: Id,
    incarnation: u64,
}

#[derive(Clone, Deserialize, Serialize)]
struct RaftRun {
    epoch: RaftEpoch,
    first: Safe,
}

#[derive(Deserialize, Serialize)]
enum LogEntry {
    Opening { forced: bool, members: Vec<RaftMember>, learners: Vec<Id> },
    View { members: Vec<RaftMember>, learners: Vec<Id> },
    Command { session: Safe, sequence: Safe, unacked: Safe, value: Bytes },
    CommandMore { session: Safe, sequence: Safe, unacked: Safe, value: Bytes },
    Session { origin: Id, incarnation: u64 },
    Keyed { session: Safe, sequence: Safe, unacked: Safe, key: Id, value: Bytes },
}

#[derive(Deserialize, Serialize)]
struct Key {
    at: Safe,
    key: Id,
}

#[derive(Deserialize, Serialize)]
struct EntryRun {
    epoch: RaftEpoch,
    entries: Vec<LogEntry>,
}

#[derive(Deserialize, Serialize)]
struct Position {
    epoch: RaftEpoch,
    index: Safe,
}

#[derive(Deserialize, Serialize)]
struct SnapshotEnvelope {
    epoch: RaftEpoch,
    index: Safe,
    runs: Vec<RaftRun>,
    members: Vec<RaftMember>,
    learners: Vec<Id>,
    members_index: Safe,
    forced: Vec<RaftEpoch>,
    former: Vec<RaftMember>,
    last_command: Safe,
    sessions: Bytes,
}

#[derive(Deserialize, Serialize)]
struct SnapshotOffer {
    epoch: RaftEpoch,
    index: Safe,
    envelope_bytes: Safe,
    bytes: Safe,
    digest: Fixed<32>,
}

fn offer() -> SnapshotOffer {
    SnapshotOffer { epoch: epoch(), index: Safe(900), envelope_bytes: Safe(300), bytes: Safe(70_000), digest: Fixed([6; 32]) }
}

#[derive(Deserialize, Serialize)]
enum Verdict {
    Granted,
    Denied,
    Abstained,
    Ahead,
    Reachable,
}

#[derive(Clone, Deserialize, Serialize)]
enum Refusal {
    Offline,
    NoQuorum,
    Overloaded,
    TooLarge,
    Moving,
    ChangeInProgress,
    NotAVoter,
    NotElected,
}

#[derive(Clone, Deserialize, Serialize)]
enum RaftRequest {
    Transfer { to: Option<Id> },
    AddVoter { peer: Id },
    RemoveVoter { peer: Id },
}

#[derive(Deserialize, Serialize)]
struct Forced {
    founders: Vec<RaftMember>,
    view: Vec<RaftMember>,
}

#[derive(Deserialize, Serialize)]
struct Reject {
    prev: Safe,
    last: Safe,
    runs: Vec<RaftRun>,
}

#[derive(Deserialize, Serialize)]
enum RaftBody {
    Status {
        term: Safe,
        sides: Vec<RaftEpoch>,
        epoch: Option<RaftEpoch>,
        last: Option<Position>,
        committed: Safe,
        view: Vec<RaftMember>,
        former: Vec<RaftMember>,
        last_command: Safe,
        joining: bool,
        observer: bool,
        stopped: bool,
        runs: Vec<RaftRun>,
    },
    VoteRequest {
        epoch: RaftEpoch,
        pre: bool,
        side: Option<RaftEpoch>,
        last_term: Safe,
        last_index: Safe,
        forced: Option<Forced>,
        transfer: Option<RaftEpoch>,
    },
    VoteResponse { epoch: RaftEpoch, pre: bool, term: Safe, verdict: Verdict },
    Append {
        epoch: RaftEpoch,
        side: Option<RaftEpoch>,
        prev: Option<Position>,
        entries: Vec<EntryRun>,
        commit: Safe,
        round: Safe,
        durable: Safe,
    },
    Appended { epoch: RaftEpoch, term: Safe, r#match: Safe, round: Safe, reject: Option<Reject> },
    Forward {
        epoch: RaftEpoch,
        session: Safe,
        first: Safe,
        acked_below: Safe,
        keys: Vec<Key>,
        proposals: Vec<Vec<Bytes>>,
    },
    Forwarded { first: Safe, count: Safe, epoch: RaftEpoch, index: Safe },
    Refused { first: Safe, count: Safe, reason: Refusal },
    ReadRequest { read: Safe },
    ReadGranted { read: Safe, index: Safe },
    ReadRefused { read: Safe, reason: Refusal },
    TimeoutNow { epoch: RaftEpoch, last: Safe, next: RaftEpoch, leaving: bool },
    Committed { epoch: RaftEpoch, commit: Safe },
    Request { request: Safe, what: RaftRequest },
    RequestDone { request: Safe },
    RequestRefused { request: Safe, reason: Refusal },
    Retain { epoch: RaftEpoch, index: Safe },
    Claim {
        term: Safe,
        sides: Vec<RaftEpoch>,
        epoch: Option<RaftEpoch>,
        last: Option<Position>,
        committed: Safe,
        view: Vec<RaftMember>,
        former: Vec<RaftMember>,
        last_command: Safe,
        joining: bool,
        observer: bool,
        stopped: bool,
        runs: Vec<RaftRun>,
    },
    Yield { claim: RaftEpoch, term: Safe },
    Busy { claim: RaftEpoch },
    Yielded { epoch: RaftEpoch, claim: RaftEpoch, side: RaftEpoch, term: Safe, last: Safe, runs: Vec<RaftRun> },
    OpenSession { epoch: RaftEpoch, number: Safe, incarnation: u64 },
    SyncRequest { epoch: RaftEpoch },
    SyncPlan { epoch: RaftEpoch, base: Safe, commit: Safe, last: Safe, runs: Vec<RaftRun> },
    SyncQuery {},
    SyncOffer { base: Safe, commit: Safe, snapshot: Option<SnapshotOffer> },
    RangeRequest { from: Safe, to: Safe },
    Range { from: Safe, entries: Vec<EntryRun> },
    ChunkRequest { digest: Fixed<32>, offset: Safe, length: Safe },
    Chunk { digest: Fixed<32>, offset: Safe, bytes: Bytes },
    StateSync { payload: Bytes },
}

#[derive(Deserialize, Serialize)]
struct RaftMessage {
    incarnation: u64,
    body: RaftBody,
}

fn epoch() -> RaftEpoch {
    RaftEpoch { term: Safe(300), leader: id(1), nonce: u64::MAX }
}

fn members() -> Vec<RaftMember> {
    vec![RaftMember { peer: id(2), incarnation: u64::MAX }, RaftMember { peer: id(1), incarnation: 0 }]
}

fn runs() -> Vec<RaftRun> {
    vec![RaftRun { epoch: epoch(), first: Safe(1) }]
}

fn position() -> Position {
    Position { epoch: epoch(), index: Safe((1 << 53) - 1) }
}

/// One of each kind.
fn log_entries() -> Vec<LogEntry> {
    vec![
        LogEntry::Opening { forced: true, members: members(), learners: vec![id(3)] },
        LogEntry::View { members: members(), learners: vec![] },
        LogEntry::Command { session: Safe(2), sequence: Safe(300), unacked: Safe(255), value: Bytes(vec![1, 2, 3]) },
        LogEntry::CommandMore { session: Safe(0), sequence: Safe(0), unacked: Safe(0), value: Bytes(vec![]) },
        LogEntry::Session { origin: id(3), incarnation: u64::MAX },
        LogEntry::Keyed {
            session: Safe((1 << 53) - 1),
            sequence: Safe((1 << 53) - 1),
            unacked: Safe((1 << 53) - 1),
            key: id(4),
            value: Bytes(vec![1]),
        },
    ]
}

/// One of each variant, and each option once with and once without its value.
fn bodies() -> Vec<RaftBody> {
    let mut bodies = vec![
        RaftBody::Status {
            term: Safe(301),
            sides: vec![epoch()],
            epoch: Some(epoch()),
            last: Some(position()),
            committed: Safe(9),
            view: members(),
            former: members(),
            last_command: Safe(7),
            joining: false,
            observer: true,
            stopped: false,
            runs: runs(),
        },
        RaftBody::Status {
            term: Safe(0),
            sides: vec![],
            epoch: None,
            last: None,
            committed: Safe(0),
            view: vec![],
            former: vec![],
            last_command: Safe(0),
            joining: true,
            observer: false,
            stopped: true,
            runs: vec![],
        },
        RaftBody::VoteRequest {
            epoch: epoch(),
            pre: true,
            side: Some(epoch()),
            last_term: Safe(299),
            last_index: Safe(128),
            forced: Some(Forced { founders: members(), view: vec![] }),
            transfer: Some(epoch()),
        },
        RaftBody::VoteRequest {
            epoch: epoch(),
            pre: false,
            side: None,
            last_term: Safe(0),
            last_index: Safe(0),
            forced: None,
            transfer: None,
        },
        RaftBody::Append {
            epoch: epoch(),
            side: Some(epoch()),
            prev: Some(position()),
            entries: vec![EntryRun { epoch: epoch(), entries: log_entries() }],
            commit: Safe(7),
            round: Safe(8),
            durable: Safe(9),
        },
        RaftBody::Append {
            epoch: epoch(),
            side: None,
            prev: None,
            entries: vec![],
            commit: Safe(0),
            round: Safe(0),
            durable: Safe(0),
        },
        RaftBody::Appended {
            epoch: epoch(),
            term: Safe(301),
            r#match: Safe(0),
            round: Safe(2),
            reject: Some(Reject { prev: Safe(4), last: Safe(2), runs: runs() }),
        },
        RaftBody::Appended { epoch: epoch(), term: Safe(300), r#match: Safe(77), round: Safe(3), reject: None },
        RaftBody::Forward {
            epoch: epoch(),
            session: Safe(2),
            first: Safe(9),
            acked_below: Safe(4),
            keys: vec![Key { at: Safe(1), key: id(4) }],
            proposals: vec![vec![Bytes(vec![1]), Bytes(vec![])], vec![]],
        },
        RaftBody::Forwarded { first: Safe(1), count: Safe(2), epoch: epoch(), index: Safe(40) },
        RaftBody::ReadRequest { read: Safe(5) },
        RaftBody::ReadGranted { read: Safe(5), index: Safe(41) },
        RaftBody::TimeoutNow { epoch: epoch(), last: Safe(40), next: epoch(), leaving: true },
        RaftBody::Committed { epoch: epoch(), commit: Safe(42) },
        RaftBody::Claim {
            term: Safe(301),
            sides: vec![epoch()],
            epoch: Some(epoch()),
            last: Some(position()),
            committed: Safe(9),
            view: members(),
            former: members(),
            last_command: Safe(7),
            joining: false,
            observer: true,
            stopped: false,
            runs: runs(),
        },
        RaftBody::Claim {
            term: Safe(0),
            sides: vec![],
            epoch: None,
            last: None,
            committed: Safe(0),
            view: vec![],
            former: vec![],
            last_command: Safe(0),
            joining: true,
            observer: false,
            stopped: true,
            runs: vec![],
        },
        RaftBody::Yield { claim: epoch(), term: Safe(302) },
        RaftBody::Busy { claim: epoch() },
        RaftBody::Yielded { epoch: epoch(), claim: epoch(), side: epoch(), term: Safe(303), last: Safe(40), runs: runs() },
    ];
    for verdict in [Verdict::Granted, Verdict::Denied, Verdict::Abstained, Verdict::Ahead, Verdict::Reachable] {
        bodies.push(RaftBody::VoteResponse { epoch: epoch(), pre: false, term: Safe(300), verdict });
    }
    for reason in refusals() {
        bodies.push(RaftBody::Refused { first: Safe(1), count: Safe(2), reason: reason.clone() });
        bodies.push(RaftBody::ReadRefused { read: Safe(5), reason: reason.clone() });
        bodies.push(RaftBody::RequestRefused { request: Safe(6), reason });
    }
    for what in requests() {
        bodies.push(RaftBody::Request { request: Safe(6), what });
    }
    bodies.push(RaftBody::RequestDone { request: Safe(6) });
    bodies.push(RaftBody::Retain { epoch: epoch(), index: Safe(43) });
    bodies.push(RaftBody::OpenSession { epoch: epoch(), number: Safe(7), incarnation: u64::MAX });
    bodies.push(RaftBody::SyncRequest { epoch: epoch() });
    bodies.push(RaftBody::SyncPlan { epoch: epoch(), base: Safe(40), commit: Safe(900), last: Safe(901), runs: runs() });
    bodies.push(RaftBody::SyncQuery {});
    bodies.push(RaftBody::SyncOffer { base: Safe(40), commit: Safe(900), snapshot: Some(offer()) });
    bodies.push(RaftBody::SyncOffer { base: Safe(0), commit: Safe(0), snapshot: None });
    bodies.push(RaftBody::RangeRequest { from: Safe(41), to: Safe(4136) });
    bodies.push(RaftBody::Range { from: Safe(41), entries: vec![EntryRun { epoch: epoch(), entries: log_entries() }] });
    bodies.push(RaftBody::ChunkRequest { digest: Fixed([6; 32]), offset: Safe(0), length: Safe(70_000) });
    bodies.push(RaftBody::Chunk { digest: Fixed([6; 32]), offset: Safe(0), bytes: Bytes(vec![7; 130]) });
    bodies.push(RaftBody::StateSync { payload: Bytes(vec![8; 3]) });
    bodies
}

fn refusals() -> Vec<Refusal> {
    vec![
        Refusal::Offline,
        Refusal::NoQuorum,
        Refusal::Overloaded,
        Refusal::TooLarge,
        Refusal::Moving,
        Refusal::ChangeInProgress,
        Refusal::NotAVoter,
        Refusal::NotElected,
    ]
}

fn requests() -> Vec<RaftRequest> {
    vec![
        RaftRequest::Transfer { to: Some(id(4)) },
        RaftRequest::Transfer { to: None },
        RaftRequest::AddVoter { peer: id(4) },
        RaftRequest::RemoveVoter { peer: id(4) },
    ]
}

pub fn put(vectors: &mut Vectors) {
    vectors.put("RaftEpoch", &epoch());
    for member in members() {
        vectors.put("RaftMember", &member);
    }
    vectors.put("RaftRun", &runs()[0]);
    for entry in log_entries() {
        vectors.put("LogEntry", &entry);
    }
    let envelope = SnapshotEnvelope {
        epoch: epoch(),
        index: Safe(900),
        runs: runs(),
        members: members(),
        learners: vec![id(3)],
        members_index: Safe(2),
        forced: vec![epoch()],
        former: members(),
        last_command: Safe(3),
        sessions: Bytes(vec![7; 130]),
    };
    vectors.put("SnapshotEnvelope", &envelope);
    vectors.put("SnapshotOffer", &offer());
    for request in requests() {
        vectors.put("RaftRequest", &request);
    }
    for body in bodies() {
        // As the first byte of a message is its sender's incarnation, 0 keeps the variant in the second.
        vectors.put("RaftMessage", &RaftMessage { incarnation: 0, body });
    }
    let body = RaftBody::ReadRequest { read: Safe(0) };
    vectors.put("RaftMessage", &RaftMessage { incarnation: u64::MAX, body });
}
