import { option, recurring, struct, variants, vec } from '../codec/composites.ts';
import { bool, bytes, fixedBytes, id, safeU64, u64 } from '../codec/primitives.ts';
import type { Reader } from '../codec/reader.ts';
import { type Infer, type Schema, schema, type Writer } from '../codec/schema.ts';
import { WireError } from '../error.ts';
import type { PeerId, UniqueId } from '../ids.ts';

/** Most members of a set, and most peers that a message lists. */
const MAX_MEMBERS = 64;
/** Most runs of a log that one message describes, newest kept. */
export const MAX_RAFT_RUNS = 128;
/** Most forced epochs that a status names, newest kept. */
export const MAX_RAFT_SIDES = 16;
/** Most bytes of one command on the wire; the consensus configuration sets the group's own, lower limit. */
const MAX_COMMAND_BYTES = 8 << 20;
const MAX_ENTRIES = 1 << 16;

/**
 * One leadership: the identity of every entry is (epoch, index). `nonce` is random, drawn per election. Never changed:
 * most messages name the same one or two, several times over.
 */
export const RaftEpoch = recurring(
  'RaftEpoch',
  struct('RaftEpoch', { term: safeU64, leader: id<PeerId>(), nonce: u64 }),
);
export type RaftEpoch = Infer<typeof RaftEpoch>;

/** Who counts is a peer with what its log store remembers. */
export const RaftMember = struct('RaftMember', { peer: id<PeerId>(), incarnation: u64 });
export type RaftMember = Infer<typeof RaftMember>;

const members = vec(RaftMember, { max: MAX_MEMBERS });
const peerId = id<PeerId>();
const uniqueId = id<UniqueId>();
const learners = vec(peerId, { max: MAX_MEMBERS });

/** Where an epoch starts in a log. */
export const RaftRun = struct('RaftRun', { epoch: RaftEpoch, first: safeU64 });
export type RaftRun = Infer<typeof RaftRun>;

const runs = vec(RaftRun, { max: MAX_RAFT_RUNS });

/** The first entry of an epoch, with the set in force; state machines never see it. */
export interface OpeningEntry {
  type: 'Opening';
  /** Founded without a majority of the set before it. */
  forced: boolean;
  members: RaftMember[];
  /** Voters that do not count: new ones that have yet to catch up, and those that came back having forgotten. */
  learners: PeerId[];
}

/** A change of the set, or of its learners, by one member; state machines never see it. */
export interface ViewEntry {
  type: 'View';
  members: RaftMember[];
  learners: PeerId[];
}

/** Opens a session: its index is the session's name. State machines never see it. */
export interface SessionEntry {
  type: 'Session';
  origin: PeerId;
  /** Of the origin's life, which ends with its process: drawn at random. */
  incarnation: bigint;
}

/**
 * A command for the state machine. `CommandMore`: the next entry belongs to the same run, which is never torn apart.
 *
 * The first entry of a run names it: (session, sequence) is applied at most once. The others have zeros there.
 */
export interface CommandEntry {
  type: 'Command' | 'CommandMore' | 'Keyed';
  /** Index of the entry that opened the session. */
  session: number;
  /** From 1, one for all commands of a run. */
  sequence: number;
  /** The origin has its answers to every sequence further back than this, and sends none of them again. */
  unacked: number;
  /** Of a `Keyed` one: what a client called its request by; applied at most once as long as the key is remembered. */
  key?: UniqueId | undefined;
  value: Uint8Array;
}

export type LogEntry = OpeningEntry | ViewEntry | CommandEntry | SessionEntry;

const commandBytes = bytes({ max: MAX_COMMAND_BYTES });

/**
 * postcard: enum { Opening { forced, members, learners }, View { members, learners },
 * Command { session, sequence, unacked, value }, CommandMore { session, sequence, unacked, value },
 * Session { origin, incarnation }, Keyed { session, sequence, unacked, key, value } }.
 *
 * Written by hand because a log is made of these: no closure per entry.
 */
export const LogEntry: Schema<LogEntry> = schema<LogEntry>(
  {
    minBytes: 2,
    write(writer: Writer, entry: LogEntry) {
      switch (entry.type) {
        case 'Opening':
          writer.uint32(0);
          writer.bool(entry.forced);
          members.write(writer, entry.members);
          learners.write(writer, entry.learners);
          return;
        case 'View':
          writer.uint32(1);
          members.write(writer, entry.members);
          learners.write(writer, entry.learners);
          return;
        case 'Command':
        case 'CommandMore':
        case 'Keyed':
          writeCommand(writer, entry);
          return;
        case 'Session':
          writer.uint32(4);
          peerId.write(writer, entry.origin);
          u64.write(writer, entry.incarnation);
          return;
      }
    },
    read(reader: Reader): LogEntry {
      const offset = reader.offset;
      const kind = reader.varint(0xffff_ffff);
      switch (kind) {
        case 0:
          return {
            type: 'Opening',
            forced: bool.read(reader),
            members: members.read(reader),
            learners: learners.read(reader),
          };
        case 1:
          return { type: 'View', members: members.read(reader), learners: learners.read(reader) };
        case 2:
          return readCommand(reader, 'Command');
        case 3:
          return readCommand(reader, 'CommandMore');
        case 4:
          return { type: 'Session', origin: peerId.read(reader), incarnation: u64.read(reader) };
        case 5:
          return readCommand(reader, 'Keyed');
        default:
          throw new WireError('unknown-variant', offset, `unknown variant ${kind}`);
      }
    },
  },
  'LogEntry',
);

const KINDS = { Command: 2, CommandMore: 3, Keyed: 5 } as const;

function writeCommand(writer: Writer, { type, session, sequence, unacked, key, value }: CommandEntry): void {
  if (!isCount(session) || !isCount(sequence) || !isCount(unacked) || unacked > sequence)
    throw new WireError('invalid-value', 0, `sequence ${sequence} of session ${session}, ${unacked} unacked`);
  writer.uint32(KINDS[type]);
  writer.varint(session);
  writer.varint(sequence);
  writer.varint(unacked);
  if (type === 'Keyed') uniqueId.write(writer, key as UniqueId);
  commandBytes.write(writer, value);
}

function readCommand(reader: Reader, type: CommandEntry['type']): CommandEntry {
  const session = reader.varint(Number.MAX_SAFE_INTEGER);
  const sequence = reader.varint(Number.MAX_SAFE_INTEGER);
  const unacked = reader.varint(sequence);
  const key = type === 'Keyed' ? uniqueId.read(reader) : undefined;
  return { type, session, sequence, unacked, key, value: commandBytes.read(reader) };
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** Entries of one epoch, contiguous. */
const EntryRun = struct(
  'EntryRun',
  { epoch: RaftEpoch, entries: vec(LogEntry, { max: MAX_ENTRIES }) },
  {
    read: (reader, { epoch, entries }) => ({ epoch: epoch.read(reader), entries: entries.read(reader) }),
    write(writer, fields, { epoch, entries }) {
      fields.epoch.write(writer, epoch);
      fields.entries.write(writer, entries);
    },
  },
);

/** An entry's identity. */
const Position = struct(
  'Position',
  { epoch: RaftEpoch, index: safeU64 },
  {
    read: (reader, { epoch, index }) => ({ epoch: epoch.read(reader), index: index.read(reader) }),
    write(writer, fields, { epoch, index }) {
      fields.epoch.write(writer, epoch);
      fields.index.write(writer, index);
    },
  },
);

/** Most bytes of the sessions in a snapshot's envelope. */
const MAX_SESSION_BYTES = 256 << 20;

/**
 * What the entries up to a snapshot's index came to, as far as consensus needs it: travels with the state machine's part
 * and is installed together with it.
 */
export const SnapshotEnvelope = struct('SnapshotEnvelope', {
  /** The last entry. */
  epoch: RaftEpoch,
  index: safeU64,
  /** The run table, newest part. */
  runs,
  /** The set in force, its learners, and the entry that put it there. */
  members,
  learners,
  membersIndex: safeU64,
  /** Forced epochs, newest first: the first names the side. */
  forced: vec(RaftEpoch, { max: MAX_RAFT_SIDES }),
  /** Who was in a set before, with the last incarnation known, newest first. */
  former: members,
  /** Index of the last command; 0 for none. */
  lastCommand: safeU64,
  /** Applied state that is not the machine's: which commands of whom were applied. Opaque here. */
  sessions: bytes({ max: MAX_SESSION_BYTES }),
});
export type SnapshotEnvelope = Infer<typeof SnapshotEnvelope>;

const Verdict = variants('Verdict', {
  Granted: null,
  Denied: null,
  Abstained: null,
  /** Denied because the answering member's log is ahead (Raft §5.4.1). */
  Ahead: null,
  /** A forced epoch denied because the answering member reaches a majority of its set. */
  Reachable: null,
});

const Refusal = variants('Refusal', {
  Offline: null,
  NoQuorum: null,
  Overloaded: null,
  TooLarge: null,
  /** Leadership is being handed over: ask the next leader. */
  Moving: null,
  /** The set can not be changed yet: a change, or the first entry of this epoch, is not committed. */
  ChangeInProgress: null,
  /** Not a member of the set, or none that could be chosen. */
  NotAVoter: null,
  /** The member asked to take over was not elected in time. */
  NotElected: null,
});

/** What a member may ask the leader for. */
export const RaftRequest = variants('RaftRequest', {
  /** Leadership for `to`, or for whoever is most up to date. */
  Transfer: { to: option(id<PeerId>()) },
  AddVoter: { peer: id<PeerId>() },
  RemoveVoter: { peer: id<PeerId>() },
});
export type RaftRequest = Infer<typeof RaftRequest>;

/** Where a member stands, and by what its side is ranked when it meets another one. */
const standing = {
  term: safeU64,
  /** Forced epochs of the sender's log, newest first: the first names its side. */
  sides: vec(RaftEpoch, { max: MAX_RAFT_SIDES }),
  /** The epoch that it follows or leads. */
  epoch: option(RaftEpoch),
  last: option(Position),
  committed: safeU64,
  /** The set in its log, and who was in it before (last incarnation known). */
  view: members,
  former: members,
  /** Index of the last command in its log; 0 when there is none. */
  lastCommand: safeU64,
  joining: bool,
  observer: bool,
  /** It does not take part any more. */
  stopped: bool,
  /** A leader's run table (newest part), when it speaks to another side. */
  runs,
};
/** Most bytes of a snapshot that one message carries. */
export const MAX_SYNC_CHUNK_BYTES = 256 * 1024;
const chunkBytes = bytes({ max: MAX_SYNC_CHUNK_BYTES });
const digest = fixedBytes(32);

/** A snapshot that a member can give: `bytes` of envelope and machine's part, `digest` (BLAKE3) of both. */
export const SnapshotOffer = struct('SnapshotOffer', {
  epoch: RaftEpoch,
  index: safeU64,
  envelopeBytes: safeU64,
  bytes: safeU64,
  digest,
});
export type SnapshotOffer = Infer<typeof SnapshotOffer>;

/** What raft members say to each other. `incarnation` is the sender's. Variants are only ever appended. */
export const RaftMessage = struct(
  'RaftMessage',
  {
    incarnation: u64,
    body: variants(
      'RaftBody',
      {
        /** Where the sender stands: at bond formation, on change, and now and then. */
        Status: standing,
        VoteRequest: {
          /** The epoch to be: its leader is the candidate. */
          epoch: RaftEpoch,
          /** Asks only whether it could win: binds nobody. */
          pre: bool,
          side: option(RaftEpoch),
          lastTerm: safeU64,
          lastIndex: safeU64,
          /** A forced epoch: everyone whose answer it needs, and the set that it gives up. */
          forced: option(struct('Forced', { founders: members, view: members })),
          /** The epoch whose leader asked for this campaign. */
          transfer: option(RaftEpoch),
        },
        VoteResponse: { epoch: RaftEpoch, pre: bool, term: safeU64, verdict: Verdict },
        Append: {
          epoch: RaftEpoch,
          side: option(RaftEpoch),
          /** The entry before the first one sent; none for index 0. */
          prev: option(Position),
          entries: vec(EntryRun, { max: MAX_RAFT_RUNS }),
          commit: safeU64,
          /** Read round that the answer confirms. */
          round: safeU64,
          /** The leader holds its own log durably up to here. */
          durable: safeU64,
        },
        Appended: {
          epoch: RaftEpoch,
          /** Higher than the epoch's when its leader is deposed. */
          term: safeU64,
          /** The contiguous durable prefix that agrees with the leader's log. */
          match: safeU64,
          round: safeU64,
          /**
           * Present when the predecessor at `prev` did not match (0: start over): the answering member's runs, newest part,
           * and its last index.
           */
          reject: option(struct('Reject', { prev: safeU64, last: safeU64, runs })),
        },
        /**
         * Commands for the leader of this epoch, of a session of the sender's. The proposals are the sequences from `first`
         * on; `keys` names those that have one, by their place.
         */
        Forward: {
          epoch: RaftEpoch,
          session: safeU64,
          first: safeU64,
          ackedBelow: safeU64,
          keys: vec(struct('Key', { at: safeU64, key: uniqueId }), { max: MAX_ENTRIES }),
          proposals: vec(vec(commandBytes, { max: MAX_ENTRIES }), { max: MAX_ENTRIES }),
        },
        /** The proposals from `first` on were appended one after the other from `index`. */
        Forwarded: { first: safeU64, count: safeU64, epoch: RaftEpoch, index: safeU64 },
        /** The proposals from `first` on were not appended. */
        Refused: { first: safeU64, count: safeU64, reason: Refusal },
        ReadRequest: { read: safeU64 },
        /** Reads numbered up to `read` may be answered once this index is applied. */
        ReadGranted: { read: safeU64, index: safeU64 },
        ReadRefused: { read: safeU64, reason: Refusal },
        /** The leader of `epoch` leaves: campaign now. */
        TimeoutNow: { epoch: RaftEpoch },
        /** The commit index went on and there is nothing to append; needs no answer. */
        Committed: { epoch: RaftEpoch, commit: safeU64 },
        /** Asks the leader to do something other than append commands. */
        Request: { request: safeU64, what: RaftRequest },
        RequestDone: { request: safeU64 },
        RequestRefused: { request: safeU64, reason: Refusal },
        /** Every data voter holds the entries up to here: a witness may let go of them. */
        Retain: { epoch: RaftEpoch, index: safeU64 },
        /** A leader to the leader of another side: mine outranks yours, unless you show that it does not. */
        Claim: standing,
        /** To the leader of `claim`: the side of the sender, whose term this is, gives way. */
        Yield: { claim: RaftEpoch, term: safeU64 },
        /** To the leader of `claim`: not now. */
        Busy: { claim: RaftEpoch },
        /**
         * The leader of `epoch` gave way to `claim`: whoever follows it moves over with the first append that `claim`'s
         * leader sends in exactly that term.
         */
        Yielded: { epoch: RaftEpoch, claim: RaftEpoch, side: RaftEpoch, term: safeU64, last: safeU64, runs },
        /** Asks the leader of this epoch for a session; answered as a forwarded proposal of that number. */
        OpenSession: { epoch: RaftEpoch, number: safeU64, incarnation: u64 },
        /** A member that is far behind asks its leader for what it needs to catch up by itself. */
        SyncRequest: { epoch: RaftEpoch },
        /**
         * The leader's answer, and unasked when it gave up what the member needs: its log begins after `base`, entries up
         * to `commit` are to be fetched, those after it will come as appends. `runs`: the newest part of its run table.
         */
        SyncPlan: { epoch: RaftEpoch, base: safeU64, commit: safeU64, last: safeU64, runs },
        /** Asks a member what it could give. */
        SyncQuery: {},
        /** Committed entries after `base` up to `commit`, and a snapshot. */
        SyncOffer: { base: safeU64, commit: safeU64, snapshot: option(SnapshotOffer) },
        /** Asks for committed entries. */
        RangeRequest: { from: safeU64, to: safeU64 },
        /** As many of them as fit into one message; none when they are not here. */
        Range: { from: safeU64, entries: vec(EntryRun, { max: MAX_RAFT_RUNS }) },
        /** Asks for a part of the snapshot with that digest. */
        ChunkRequest: { digest, offset: safeU64, length: safeU64 },
        /** Empty when it is not here. */
        Chunk: { digest, offset: safeU64, bytes: chunkBytes },
        /** A message of the group's own way to transfer state; opaque here. */
        StateSync: { payload: chunkBytes },
      },
      // What most messages are.
      {
        Append: {
          read: (reader, fields) => ({
            type: 'Append',
            epoch: fields.epoch.read(reader),
            side: fields.side.read(reader),
            prev: fields.prev.read(reader),
            entries: fields.entries.read(reader),
            commit: fields.commit.read(reader),
            round: fields.round.read(reader),
            durable: fields.durable.read(reader),
          }),
          write(writer, fields, body) {
            fields.epoch.write(writer, body.epoch);
            fields.side.write(writer, body.side);
            fields.prev.write(writer, body.prev);
            fields.entries.write(writer, body.entries);
            fields.commit.write(writer, body.commit);
            fields.round.write(writer, body.round);
            fields.durable.write(writer, body.durable);
          },
        },
        Appended: {
          read: (reader, fields) => ({
            type: 'Appended',
            epoch: fields.epoch.read(reader),
            term: fields.term.read(reader),
            match: fields.match.read(reader),
            round: fields.round.read(reader),
            reject: fields.reject.read(reader),
          }),
          write(writer, fields, body) {
            fields.epoch.write(writer, body.epoch);
            fields.term.write(writer, body.term);
            fields.match.write(writer, body.match);
            fields.round.write(writer, body.round);
            fields.reject.write(writer, body.reject);
          },
        },
      },
    ),
  },
  {
    read: (reader, { incarnation, body }) => ({
      incarnation: incarnation.read(reader),
      body: body.read(reader),
    }),
    write(writer, fields, { incarnation, body }) {
      fields.incarnation.write(writer, incarnation);
      fields.body.write(writer, body);
    },
  },
);
export type RaftMessage = Infer<typeof RaftMessage>;
export type RaftBody = RaftMessage['body'];
