import {
  bool,
  bytes,
  type Infer,
  id,
  option,
  type PeerId,
  safeU64,
  struct,
  type UniqueId,
  u64,
  vec,
} from '@mosaik/wire';
import { AppliedSet } from './applied-set.ts';
import type { CommandName, SessionOwner } from './command-name.ts';

/** Largest output that is kept for those who ask again by a key, in bytes as the machine's codec gives them. */
export const MAX_KEPT_OUTPUT_BYTES = 4096;

/** Sessions that are kept in any case: as many as members can be bonded, so that they do not take each other's away. */
export const MIN_SESSIONS = 64;
/** Openings in a row that can be taken back. */
const MAX_OPENED = 4096;

interface Session extends SessionOwner {
  readonly id: number;
  readonly applied: AppliedSet;
}

/** What became of the first command that came with a key. */
export interface KeyRecord {
  /** Of the command's bytes. */
  readonly digest: UniqueId;
  readonly index: number;
  /** Undefined when it was too large to be kept. */
  readonly output: Uint8Array | undefined;
}

const State = struct('SessionTable', {
  sessions: vec(
    struct('Session', {
      id: safeU64,
      origin: id<PeerId>(),
      incarnation: u64,
      low: safeU64,
      ranges: vec(safeU64, { max: 1 << 24 }),
    }),
    { max: 1 << 20 },
  ),
  keys: vec(
    struct('Key', {
      key: id<UniqueId>(),
      digest: id<UniqueId>(),
      index: safeU64,
      output: option(bytes({ max: MAX_KEPT_OUTPUT_BYTES })),
    }),
    { max: 1 << 20 },
  ),
  /** Whether the run of the last command is applied: what is left of it goes the same way. */
  admitted: bool,
});
const EMPTY: Infer<typeof State> = { sessions: [], keys: [], admitted: false };

/**
 * Which commands were applied: a function of the committed log, the same on every member.
 *
 * An origin has one session, that of its newest life. Of sessions, and of keys, at most `maxSessions` each are kept (of
 * sessions 64 in any case); the oldest go first.
 */
export class SessionTable {
  readonly #maxSessions: number;
  /** By id, which is the order of opening. */
  readonly #sessions = new Map<number, Session>();
  readonly #byOrigin = new Map<PeerId, Session>();
  /** By the order in which they were first applied. */
  readonly #keys = new Map<UniqueId, KeyRecord>();
  /** The one asked for last: mostly the next one too. */
  #last: Session | undefined;
  /** What was opened since the last command, and dropped for it: a founder that yields takes such entries back. */
  #opened: { index: number; dropped: readonly Session[] }[] = [];
  #admitted = false;

  constructor(maxSessions: number) {
    this.#maxSessions = maxSessions;
  }

  /** An entry at `index` asks for a session; nothing changes for an origin that has this one already. */
  open(index: number, origin: PeerId, incarnation: bigint): void {
    const before = this.#byOrigin.get(origin);
    if (before?.incarnation === incarnation) return;
    const dropped: Session[] = [];
    if (before) dropped.push(before);
    for (const oldest of this.#sessions.values()) {
      if (this.#sessions.size - dropped.length < Math.max(MIN_SESSIONS, this.#maxSessions)) break;
      if (oldest !== before) dropped.push(oldest);
    }
    for (const session of dropped) this.#drop(session);
    this.#add({ id: index, origin, incarnation, applied: new AppliedSet() });
    this.#opened.push({ index, dropped });
    if (this.#opened.length > MAX_OPENED) this.#opened.shift();
  }

  /** The entries after `index` are gone, none of which was a command. */
  closeAfter(index: number): void {
    for (let last = this.#opened.at(-1); last && last.index > index; last = this.#opened.at(-1)) {
      this.#opened.pop();
      const session = this.#sessions.get(last.index);
      if (session) this.#drop(session);
      for (const dropped of last.dropped) this.#add(dropped);
    }
    const ordered = [...this.#sessions.values()].sort((a, b) => a.id - b.id);
    this.#sessions.clear();
    for (const session of ordered) this.#sessions.set(session.id, session);
  }

  /** The session of an origin's life, or 0. */
  idOf(origin: PeerId, incarnation: bigint): number {
    const session = this.#byOrigin.get(origin);
    return session?.incarnation === incarnation ? session.id : 0;
  }

  /**
   * Whether a command is to be applied: its session is there, and this is the first time. Sequence 0: as the one before
   * it, whose run it continues.
   */
  admit(id: number, sequence: number, unacked: number): boolean {
    if (sequence === 0) return this.#admitted;
    if (this.#opened.length > 0) this.#opened = [];
    const session = this.#find(id);
    session?.applied.raiseTo(sequence - unacked);
    this.#admitted = session?.applied.add(sequence) ?? false;
    return this.#admitted;
  }

  /** Whether a sequence was applied, or given up by its origin. */
  has(id: number, sequence: number): boolean {
    return this.#find(id)?.applied.has(sequence) ?? false;
  }

  ownerOf(id: number): SessionOwner | undefined {
    return this.#find(id);
  }

  /** Undefined where nothing says so any more: of a session that is gone, or too long ago. */
  wasApplied(name: CommandName): boolean | undefined {
    if ('key' in name) {
      const record = this.#keys.get(name.key);
      if (record) return record.digest === name.digest;
      return this.#keys.size >= this.#maxSessions ? undefined : false;
    }
    const session = this.#byOrigin.get(name.owner.origin);
    if (session?.incarnation !== name.owner.incarnation) return undefined;
    return session.applied.wasApplied(name.sequence);
  }

  keyed(key: UniqueId): KeyRecord | undefined {
    return this.#keys.get(key);
  }

  remember(key: UniqueId, record: KeyRecord): void {
    for (const oldest of this.#keys.keys()) {
      if (this.#keys.size < this.#maxSessions) break;
      this.#keys.delete(oldest);
    }
    this.#keys.set(key, record);
  }

  /** Equal tables give equal bytes. */
  encode(): Uint8Array {
    return State.encode({
      sessions: [...this.#sessions.values()].map(({ id, origin, incarnation, applied }) => ({
        id,
        origin,
        incarnation,
        low: applied.low,
        ranges: [...applied.ranges],
      })),
      keys: [...this.#keys].map(([key, record]) => ({ key, ...record })),
      admitted: this.#admitted,
    });
  }

  /** Takes the place of everything; no bytes at all are an empty table. @throws WireError */
  restore(bytes: Uint8Array): void {
    const { sessions, keys, admitted } = bytes.length === 0 ? EMPTY : State.decode(bytes);
    this.#sessions.clear();
    this.#byOrigin.clear();
    this.#keys.clear();
    this.#last = undefined;
    this.#opened = [];
    this.#admitted = admitted;
    for (const { id, origin, incarnation, low, ranges } of sessions)
      this.#add({ id, origin, incarnation, applied: new AppliedSet(low, ranges) });
    // The bytes may be a view into something large.
    for (const { key, digest, index, output } of keys)
      this.#keys.set(key, { digest, index, output: output?.slice() });
  }

  #find(id: number): Session | undefined {
    if (this.#last?.id !== id) this.#last = this.#sessions.get(id);
    return this.#last;
  }

  #add(session: Session): void {
    this.#sessions.set(session.id, session);
    this.#byOrigin.set(session.origin, session);
  }

  #drop(session: Session): void {
    this.#sessions.delete(session.id);
    this.#byOrigin.delete(session.origin);
    this.#last = undefined;
  }
}
