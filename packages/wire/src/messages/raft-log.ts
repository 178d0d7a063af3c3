import { recurring, struct, vec } from '../codec/composites.ts';
import { bool, bytes, id, safeU64, u64 } from '../codec/primitives.ts';
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
export const MAX_ENTRIES = 1 << 16;

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

export const members = vec(RaftMember, { max: MAX_MEMBERS });
const peerId = id<PeerId>();
export const uniqueId = id<UniqueId>();
const learners = vec(peerId, { max: MAX_MEMBERS });

/** Where an epoch starts in a log. */
export const RaftRun = struct('RaftRun', { epoch: RaftEpoch, first: safeU64 });
export type RaftRun = Infer<typeof RaftRun>;

export const runs = vec(RaftRun, { max: MAX_RAFT_RUNS });

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

export const commandBytes = bytes({ max: MAX_COMMAND_BYTES });

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
export const EntryRun = struct(
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
export const Position = struct(
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
