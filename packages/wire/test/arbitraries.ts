import {
  AnnounceMessage,
  type BondId,
  BondMessage,
  CatalogDigestEntry,
  ConsensusConfig,
  type GroupId,
  HandshakeEnd,
  HandshakeStart,
  type Id,
  idFromBytes,
  LogEntry,
  type NetworkId,
  PeerEntry,
  PeerEntryVersion,
  type PeerId,
  QuorumConfig,
  type RaftBody,
  RaftEpoch,
  RaftMember,
  RaftMessage,
  RaftRequest,
  RaftRun,
  type Schema,
  SignedPeerEntry,
  SnapshotEnvelope,
  SnapshotOffer,
  SyncMessage,
  Ticket,
  type UniqueId,
} from '@mosaik/wire';
import fc from 'fast-check';

export interface Case<T> {
  readonly schema: Schema<T>;
  readonly values: fc.Arbitrary<T>;
}

const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const bytesUpTo = (maxLength: number) => fc.uint8Array({ maxLength });
const idOf = <I extends Id<string>>() => bytesOf(32).map((bytes) => idFromBytes<I>(bytes));
const idSet = <I extends Id<string>>(maxLength: number) =>
  fc.uniqueArray(idOf<I>(), { maxLength }).map((ids) => ids.sort());
const u16 = fc.integer({ min: 0, max: 0xffff });
const safeU64 = fc.maxSafeNat();
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const address = fc.string({ unit: 'binary', maxLength: 20 });

const ticket = fc.record({ ticketClass: idOf<UniqueId>(), data: bytesUpTo(40) });
const version = fc.record({ startMs: safeU64, updateMs: safeU64 });
const entry = fc.record({
  peerId: idOf<PeerId>(),
  protocolVersion: u16,
  networkId: idOf<NetworkId>(),
  version,
  addresses: fc.array(address, { maxLength: 4 }),
  tags: idSet<UniqueId>(3),
  groups: idSet<GroupId>(3),
  tickets: fc.array(ticket, { maxLength: 2 }),
  departed: fc.boolean(),
});
const signed = fc.record({ entry, signature: bytesOf(64) });
const edge = fc.tuple(idOf<BondId>(), idOf<PeerId>());
const digest = fc.record({ peerId: idOf<PeerId>(), version });
const quorum: fc.Arbitrary<QuorumConfig> = fc.oneof(
  fc.constant({ type: 'Dynamic' as const }),
  fc.record({ type: fc.constant('Voters' as const), voters: idSet<PeerId>(4), witnesses: idSet<PeerId>(1) }),
);
const config = fc.record({
  heartbeatIntervalMs: safeU64,
  heartbeatJitterMs: safeU64,
  maxMissedHeartbeats: safeU64,
  electionTimeoutMs: safeU64,
  electionTimeoutJitterMs: safeU64,
  bootstrapDelayMs: safeU64,
  forwardTimeoutMs: safeU64,
  queryTimeoutMs: safeU64,
  quorum,
  maxCommandBytes: safeU64,
  maxSessions: safeU64,
});
const end = fc.record({ proof: bytesOf(32), bonds: bytesUpTo(100), incarnation: u64 });
const start = fc
  .tuple(end, idOf<NetworkId>(), idOf<GroupId>())
  .map(([rest, networkId, groupId]) => ({ ...rest, networkId, groupId }));
const bondMessage: fc.Arbitrary<BondMessage> = fc.oneof(
  fc.constantFrom({ type: 'Ping' as const }, { type: 'Pong' as const }, { type: 'Departure' as const }),
  fc.record({ type: fc.constant('PeerEntryUpdate' as const), value: signed }),
  fc.record({ type: fc.constantFrom('BondFormed' as const, 'BondLost' as const), value: edge }),
  fc.record({ type: fc.constant('Raft' as const), value: bytesUpTo(300) }),
);
const sync: fc.Arbitrary<SyncMessage> = fc.oneof(
  fc.record({ type: fc.constant('Start' as const), networkId: idOf<NetworkId>() }),
  fc.record({
    type: fc.constant('Digest' as const),
    networkId: idOf<NetworkId>(),
    versions: fc.array(digest, { maxLength: 4 }),
  }),
  fc.record({ type: fc.constant('Request' as const), peers: fc.array(idOf<PeerId>(), { maxLength: 4 }) }),
  fc.record({
    type: fc.constant('Entries' as const),
    entries: fc.array(signed, { maxLength: 2 }),
    last: fc.boolean(),
  }),
);
const announce: fc.Arbitrary<AnnounceMessage> = fc.oneof(
  fc.record({ type: fc.constant('Hello' as const), networkId: idOf<NetworkId>() }),
  fc.record({ type: fc.constant('Entry' as const), value: signed }),
);

const maybe = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: undefined });
const epoch = fc.record({ term: safeU64, leader: idOf<PeerId>(), nonce: u64 });
const member = fc.record({ peer: idOf<PeerId>(), incarnation: u64 });
const members = fc.array(member, { maxLength: 3 });
const learners = fc.array(idOf<PeerId>(), { maxLength: 2 });
const run = fc.record({ epoch, first: safeU64 });
const runs = fc.array(run, { maxLength: 3 });
const position = fc.record({ epoch, index: safeU64 });
const logEntry: fc.Arbitrary<LogEntry> = fc.oneof(
  fc.record({ type: fc.constant('Opening' as const), forced: fc.boolean(), members, learners }),
  fc.record({ type: fc.constant('View' as const), members, learners }),
  fc
    .record({
      type: fc.constantFrom('Command' as const, 'CommandMore' as const, 'Keyed' as const),
      key: idOf<UniqueId>(),
      session: safeU64,
      sequence: safeU64,
      unacked: safeU64,
      value: bytesUpTo(40),
    })
    .map(({ type, key, sequence, unacked, ...rest }) => ({
      type,
      ...rest,
      sequence,
      unacked: Math.min(sequence, unacked),
      key: type === 'Keyed' ? key : undefined,
    })),
  fc.record({ type: fc.constant('Session' as const), origin: idOf<PeerId>(), incarnation: u64 }),
);
const verdict = fc.constantFrom(
  ...(['Granted', 'Denied', 'Abstained', 'Ahead', 'Reachable'] as const).map((type) => ({ type })),
);
const refused = fc.constantFrom(
  ...(
    [
      'Offline',
      'NoQuorum',
      'Overloaded',
      'TooLarge',
      'Moving',
      'ChangeInProgress',
      'NotAVoter',
      'NotElected',
    ] as const
  ).map((type) => ({ type })),
);
const raftRequest: fc.Arbitrary<RaftRequest> = fc.oneof(
  fc.record({ type: fc.constant('Transfer' as const), to: maybe(idOf<PeerId>()) }),
  fc.record({ type: fc.constantFrom('AddVoter' as const, 'RemoveVoter' as const), peer: idOf<PeerId>() }),
);
const standing = {
  term: safeU64,
  sides: fc.array(epoch, { maxLength: 2 }),
  epoch: maybe(epoch),
  last: maybe(position),
  committed: safeU64,
  view: members,
  former: members,
  lastCommand: safeU64,
  joining: fc.boolean(),
  observer: fc.boolean(),
  stopped: fc.boolean(),
  runs,
};
const digest32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
const snapshotOffer: fc.Arbitrary<SnapshotOffer> = fc.record({
  epoch,
  index: safeU64,
  envelopeBytes: safeU64,
  bytes: safeU64,
  digest: digest32,
});
type RaftBodyFields = {
  [K in RaftBody['type']]: {
    [F in Exclude<keyof Extract<RaftBody, { type: K }>, 'type'>]: fc.Arbitrary<
      Extract<RaftBody, { type: K }>[F]
    >;
  };
};
const raftBodies: RaftBodyFields = {
  Status: standing,
  VoteRequest: {
    epoch,
    pre: fc.boolean(),
    side: maybe(epoch),
    lastTerm: safeU64,
    lastIndex: safeU64,
    forced: maybe(fc.record({ founders: members, view: members })),
    transfer: maybe(epoch),
  },
  VoteResponse: { epoch, pre: fc.boolean(), term: safeU64, verdict },
  Append: {
    epoch,
    side: maybe(epoch),
    prev: maybe(position),
    entries: fc.array(fc.record({ epoch, entries: fc.array(logEntry, { maxLength: 3 }) }), { maxLength: 2 }),
    commit: safeU64,
    round: safeU64,
    durable: safeU64,
  },
  Appended: {
    epoch,
    term: safeU64,
    match: safeU64,
    round: safeU64,
    reject: maybe(fc.record({ prev: safeU64, last: safeU64, runs })),
  },
  Forward: {
    epoch,
    session: safeU64,
    first: safeU64,
    ackedBelow: safeU64,
    keys: fc.array(fc.record({ at: safeU64, key: idOf<UniqueId>() }), { maxLength: 2 }),
    proposals: fc.array(fc.array(bytesUpTo(20), { maxLength: 3 }), { maxLength: 3 }),
  },
  Forwarded: { first: safeU64, count: safeU64, epoch, index: safeU64 },
  Refused: { first: safeU64, count: safeU64, reason: refused },
  ReadRequest: { read: safeU64 },
  ReadGranted: { read: safeU64, index: safeU64 },
  ReadRefused: { read: safeU64, reason: refused },
  TimeoutNow: { epoch, last: safeU64, next: epoch, leaving: fc.boolean() },
  Committed: { epoch, commit: safeU64 },
  Request: { request: safeU64, what: raftRequest },
  RequestDone: { request: safeU64 },
  RequestRefused: { request: safeU64, reason: refused },
  Retain: { epoch, index: safeU64 },
  Claim: standing,
  Yield: { claim: epoch, term: safeU64 },
  Busy: { claim: epoch },
  Yielded: { epoch, claim: epoch, side: epoch, term: safeU64, last: safeU64, runs },
  OpenSession: { epoch, number: safeU64, incarnation: u64 },
  SyncRequest: { epoch },
  SyncPlan: { epoch, base: safeU64, commit: safeU64, last: safeU64, runs },
  SyncQuery: {},
  SyncOffer: { base: safeU64, commit: safeU64, snapshot: maybe(snapshotOffer) },
  RangeRequest: { from: safeU64, to: safeU64 },
  Range: {
    from: safeU64,
    entries: fc.array(fc.record({ epoch, entries: fc.array(logEntry, { maxLength: 3 }) }), { maxLength: 2 }),
  },
  ChunkRequest: { digest: digest32, offset: safeU64, length: safeU64 },
  Chunk: { digest: digest32, offset: safeU64, bytes: bytesUpTo(40) },
  StateSync: { payload: bytesUpTo(40) },
};
const raftBody = Object.entries<Record<string, fc.Arbitrary<unknown>>>(raftBodies).map(([type, fields]) =>
  fc.record({ type: fc.constant(type), ...fields }),
);
const raftMessage: fc.Arbitrary<RaftMessage> = fc.record({
  incarnation: u64,
  body: fc.oneof(...raftBody) as fc.Arbitrary<never>,
});

const snapshotEnvelope: fc.Arbitrary<SnapshotEnvelope> = fc.record({
  epoch,
  index: safeU64,
  runs,
  members,
  learners,
  membersIndex: safeU64,
  forced: fc.array(epoch, { maxLength: 2 }),
  former: members,
  lastCommand: safeU64,
  sessions: bytesUpTo(20),
});

const of = <T>(schema: Schema<T>, values: fc.Arbitrary<T>) => ({ schema, values }) as Case<unknown>;

/** How to make values of every message schema that the package exports, by its name. */
export const cases: Readonly<Record<string, Case<unknown>>> = {
  AnnounceMessage: of(AnnounceMessage, announce),
  BondMessage: of(BondMessage, bondMessage),
  CatalogDigestEntry: of(CatalogDigestEntry, digest),
  ConsensusConfig: of(ConsensusConfig, config),
  HandshakeEnd: of(HandshakeEnd, end),
  HandshakeStart: of(HandshakeStart, start),
  LogEntry: of(LogEntry, logEntry),
  PeerEntry: of(PeerEntry, entry),
  PeerEntryVersion: of(PeerEntryVersion, version),
  QuorumConfig: of(QuorumConfig, quorum),
  RaftEpoch: of(RaftEpoch, epoch),
  RaftMember: of(RaftMember, member),
  RaftMessage: of(RaftMessage, raftMessage),
  RaftRequest: of(RaftRequest, raftRequest),
  RaftRun: of(RaftRun, run),
  SignedPeerEntry: of(SignedPeerEntry, signed),
  SnapshotOffer: of(SnapshotOffer, snapshotOffer),
  SnapshotEnvelope: of(SnapshotEnvelope, snapshotEnvelope),
  SyncMessage: of(SyncMessage, sync),
  Ticket: of(Ticket, ticket),
};
