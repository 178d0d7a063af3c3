import {
  type CommandEntry,
  type GroupId,
  type NetworkId,
  type PeerId,
  SnapshotEnvelope,
  UniqueId,
} from '@mosaik/wire';
import { isCommand, type RaftLog } from './core/log.ts';
import { concat } from './core/snapshot.ts';
import { RaftError } from './errors.ts';
import type { RevertReports } from './revert-reports.ts';
import type { SessionOwner } from './sessions/command-name.ts';
import { MAX_KEPT_OUTPUT_BYTES, SessionTable } from './sessions/session-table.ts';
import type { Snapshotter } from './snapshotter.ts';
import type { ApplyContext, StateMachine } from './state-machine.ts';
import type { StoredSnapshot } from './storage/log-storage.ts';

/** Commands that a machine with `applyBatch` is given at once: at first, and at most. */
const FIRST_BATCH = 16;
const MAX_BATCH = 1024;

export interface ApplierInit<C, Q, R, O> {
  readonly machine: StateMachine<C, Q, R, O>;
  readonly log: RaftLog;
  readonly groupId: GroupId;
  readonly networkId: NetworkId;
  readonly localId: PeerId;
  /** Of this life of the member: what its session is opened for. */
  readonly incarnation: bigint;
  readonly maxSessions: number;
  /** The session of this member is another one now, or none (0). */
  readonly handleSession: (session: number) => void;
  /** The state was replaced; `wasApplied` says which sequences the session that this member has now holds. */
  readonly handleReplaced: (session: number, wasApplied: (sequence: number) => boolean) => void;
  /** A command of this member's session was applied; `more` of its run follow. */
  readonly handleApplied: (sequence: number, index: number, output: O, more: boolean) => void;
  /** One was not, because of what the key that it came with stands for. */
  readonly handleRejected: (sequence: number, error: RaftError) => void;
  /** Wait to know what the log has. */
  readonly reverts: RevertReports<C>;
  /** Absent where the log is kept whole. */
  readonly snapshotter?: Snapshotter | undefined;
}

/** Feeds committed commands to the machine, in order, each (session, sequence) and each remembered key once. */
export class Applier<C, Q, R, O> {
  readonly #init: ApplierInit<C, Q, R, O>;
  /** A function of the entries up to `applied`, as the machine is. */
  readonly sessions: SessionTable;
  /** Everything up to here is in the machine. */
  applied = 0;
  /** The place for the next snapshot, or as far as one was looked for. */
  #stop = 0;
  /** Commands that the machine is given at once: fewer while they take long. */
  #batch = FIRST_BATCH;
  /** This member's session. */
  #own = 0;
  /** Sequence of the run that the last command belongs to, if it is this member's; else 0. */
  #runSequence = 0;
  /** For `applyBatch`: what was admitted and not applied yet. */
  #entries: CommandEntry[] = [];
  #contexts: ApplyContext[] = [];
  #sequences: number[] = [];

  /** What a machine without `reset` goes back to. */
  readonly #initial: Uint8Array | undefined;

  constructor(init: ApplierInit<C, Q, R, O>) {
    this.#init = init;
    this.sessions = new SessionTable(init.maxSessions);
    const { machine } = init;
    if (!machine.reset && machine.restore && machine.snapshot) this.#initial = join(machine.snapshot());
  }

  /**
   * Applies towards `to` until it is there, or `isLate` says so after a command (or a batch of them).
   *
   * @throws RaftError `apply-failed` when the machine, or its codec, throws.
   */
  applyTo(to: number, isLate: () => boolean): void {
    const { machine, snapshotter } = this.#init;
    while (this.applied < to) {
      if (this.#stop <= this.applied) this.#stop = snapshotter?.stopAt(this.applied, to) ?? to;
      const count = machine.applyBatch ? this.#batch : 1;
      const end = Math.min(this.#stop, to, this.applied + count);
      const isFull = end === this.applied + count;
      for (let index = this.applied + 1; index <= end; index += 1) this.#handleEntry(index);
      this.#applyCollected();
      this.applied = end;
      if (end === this.#stop) snapshotter?.handleApplied(end, () => this.sessions.encode());
      const late = isLate();
      if (late) this.#batch = Math.max(1, this.#batch >> 2);
      else if (isFull) this.#batch = Math.min(MAX_BATCH, this.#batch * 2);
      if (late) return;
    }
  }

  /** Becomes what a snapshot tells, or, without one, what was before the first command. @throws RaftError as `applyTo`. */
  restore(snapshot: StoredSnapshot | undefined): void {
    const { machine, reverts, snapshotter } = this.#init;
    const bytes = snapshot ? join(snapshot.chunks) : this.#initial;
    const index = snapshot?.index ?? 0;
    try {
      if (!snapshot && machine.reset) machine.reset();
      else if (machine.restore && bytes) machine.restore(bytes);
      else throw new Error(`the machine has no ${snapshot ? 'restore' : 'reset'}`);
      this.sessions.restore(
        snapshot ? SnapshotEnvelope.decode(snapshot.envelope).sessions : new Uint8Array(),
      );
    } catch (cause) {
      throw new RaftError(
        'apply-failed',
        `the state machine could not be restored to ${index}: ${String(cause)}`,
        {
          cause,
        },
      );
    }
    this.applied = index;
    this.#stop = index;
    this.#runSequence = 0;
    this.#own = this.#findOwn();
    this.#init.handleReplaced(this.#own, (sequence) => this.sessions.has(this.#own, sequence));
    if (reverts.pending) reverts.handleRestored(this.sessions, index);
    snapshotter?.handleRestored(snapshot ? snapshot.envelope.length + (bytes?.length ?? 0) : 0);
  }

  /** Entries after `to` are gone. If there was a command among them, `restore` has to follow. */
  rewindTo(to: number): void {
    this.#stop = Math.min(this.#stop, to);
    if (to >= this.applied) return;
    this.applied = to;
    this.sessions.closeAfter(to);
    this.#followSession();
  }

  /** For whom a session was opened, by an entry that is applied or not yet. */
  ownerOf(session: number): SessionOwner | undefined {
    const opening = this.#init.log.entryAt(session);
    return this.sessions.ownerOf(session) ?? (opening?.type === 'Session' ? opening : undefined);
  }

  #handleEntry(index: number): void {
    const { log, machine, reverts } = this.#init;
    const entry = log.entryAt(index);
    if (!entry) throw new Error(describeMissing(log, index));
    if (entry.type === 'Session') {
      this.sessions.open(index, entry.origin, entry.incarnation);
      this.#followSession();
      return;
    }
    if (!isCommand(entry)) return;
    const { session, sequence, unacked, key } = entry;
    if (sequence > 0) this.#runSequence = session === this.#own ? sequence : 0;
    if (!this.sessions.admit(session, sequence, unacked)) return;
    if (reverts.pending && key === undefined && sequence > 0) this.#noteApplied(session, sequence);
    if (key !== undefined) this.#applyKeyed(entry, index, key);
    else if (machine.applyBatch) this.#collect(entry, index);
    else this.#answer(this.#apply(entry, index), index, this.#runSequence, entry.type);
  }

  #noteApplied(session: number, sequence: number): void {
    const owner = this.sessions.ownerOf(session);
    if (owner) this.#init.reverts.handleApplied({ owner, sequence });
  }

  #followSession(): void {
    const own = this.#findOwn();
    if (own === this.#own) return;
    this.#own = own;
    this.#init.handleSession(own);
  }

  #findOwn(): number {
    return this.sessions.idOf(this.#init.localId, this.#init.incarnation);
  }

  #apply(entry: CommandEntry, index: number): O {
    const { machine } = this.#init;
    try {
      return machine.apply(machine.command.decode(entry.value), this.#context(index));
    } catch (cause) {
      throw failed(index, cause);
    }
  }

  #answer(output: O, index: number, sequence: number, type: CommandEntry['type']): void {
    if (sequence > 0) this.#init.handleApplied(sequence, index, output, type === 'CommandMore');
  }

  #collect(entry: CommandEntry, index: number): void {
    this.#entries.push(entry);
    this.#contexts.push(this.#context(index));
    this.#sequences.push(this.#runSequence);
  }

  #applyCollected(): void {
    if (this.#entries.length === 0) return;
    const { machine } = this.#init;
    const entries = this.#entries;
    const contexts = this.#contexts;
    const sequences = this.#sequences;
    this.#entries = [];
    this.#contexts = [];
    this.#sequences = [];
    let outputs: O[];
    try {
      const commands = entries.map(({ value }) => machine.command.decode(value));
      outputs = machine.applyBatch?.(commands, contexts) ?? [];
    } catch (cause) {
      throw failed(contexts[0]?.index ?? 0, cause);
    }
    for (const [i, { index }] of contexts.entries())
      this.#answer(outputs[i] as O, index, sequences[i] as number, (entries[i] as CommandEntry).type);
  }

  #applyKeyed(entry: CommandEntry, index: number, key: UniqueId): void {
    const { handleApplied, handleRejected } = this.#init;
    const sequence = this.#runSequence;
    const digest = UniqueId.from<UniqueId>(entry.value);
    const record = this.sessions.keyed(key);
    if (!record) {
      this.#applyCollected();
      const output = this.#apply(entry, index);
      this.sessions.remember(key, { digest, index, output: this.#encodeOutput(output, index) });
      if (this.#init.reverts.pending) this.#init.reverts.handleApplied({ key, digest });
      this.#answer(output, index, sequence, entry.type);
      return;
    }
    if (sequence === 0) return;
    if (record.digest !== digest) handleRejected(sequence, keyReused());
    else if (record.output === undefined) handleRejected(sequence, notKept());
    else handleApplied(sequence, record.index, this.#decodeOutput(record.output, index), false);
  }

  #context(index: number): ApplyContext {
    const { log, groupId, networkId } = this.#init;
    return { index, term: log.epochAt(index)?.term ?? 0, groupId, networkId };
  }

  /** What is kept for those who ask again; nothing that is large. */
  #encodeOutput(output: O, index: number): Uint8Array | undefined {
    try {
      const bytes = this.#init.machine.output?.encode(output);
      return bytes && bytes.length <= MAX_KEPT_OUTPUT_BYTES ? bytes.slice() : undefined;
    } catch (cause) {
      throw failed(index, cause);
    }
  }

  #decodeOutput(bytes: Uint8Array, index: number): O {
    try {
      return this.#init.machine.output?.decode(bytes) as O;
    } catch (cause) {
      throw failed(index, cause);
    }
  }
}

/** Never to be: a machine that goes on without it is not what the others are. */
function describeMissing({ base, last }: RaftLog, index: number): string {
  return `entry ${index} is to be applied, after ${index - 1}, and the log holds ${base + 1} to ${last}`;
}

function keyReused(): RaftError {
  return new RaftError('key-reused', 'the key stands for another command: this one was not applied');
}

function notKept(): RaftError {
  return new RaftError(
    'unknown-outcome',
    `the command of this key was applied before; its output of more than ${MAX_KEPT_OUTPUT_BYTES} bytes was not kept`,
  );
}

function join(parts: Uint8Array | Iterable<Uint8Array>): Uint8Array {
  if (parts instanceof Uint8Array) return parts;
  const all = [...parts];
  if (all.length === 1 && all[0]) return all[0];
  return concat(
    all,
    all.reduce((bytes, part) => bytes + part.length, 0),
  );
}

function failed(index: number, cause: unknown): RaftError {
  return new RaftError('apply-failed', `the state machine failed at index ${index}: ${String(cause)}`, {
    cause,
  });
}
