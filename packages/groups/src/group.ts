import type { Bond, Bonds } from '@mosaik/bonds';
import type { RaftNode, RaftStatus, Reverted } from '@mosaik/raft';
import type { BondId, ConsensusConfig, GroupId, PeerId } from '@mosaik/wire';
import { type Watch, WatchCell } from '@mosaik/wire/runtime';
import { GroupError, toGroupError } from './errors.ts';
import type { GroupCloseReason, Member } from './member.ts';
import { runOnLeader } from './on-leader.ts';
import { Voters } from './voters.ts';
import type { WaitOptions } from './wait-for.ts';
import { When } from './when.ts';

/** A query's answer and the index up to which the log was applied when it was given. */
export interface QueryAnswer<R> {
  readonly result: R;
  readonly index: number;
}

export interface ExecuteOptions extends WaitOptions {
  /**
   * Of 1 to 256 characters, the client's name for this request. Of all commands with it, sent through whichever member
   * and however often, the first that commits is applied, and all are answered as that one was; another command under
   * it is `key-reused`. Remembered for the last `maxSessions` keys. Needs a machine with an `output` codec.
   */
  idempotencyKey?: string | undefined;
}

export interface QueryOptions extends WaitOptions {
  /** `'strong'`: linearizable, through the leader. `'weak'`: this member's state as it is. */
  consistency: 'weak' | 'strong';
  /** Answer only once this index is applied here: read your own writes. */
  minIndex?: number;
}

/** The bonds of a group at one moment. */
export interface GroupBonds extends Iterable<Bond> {
  /** Number of this node's own bonds. */
  readonly size: number;
  get(peer: PeerId): Bond | undefined;
  has(peer: PeerId): boolean;
  /** Every bond of the group that this member knows of, its own included. */
  readonly topology: readonly { readonly id: BondId; readonly peers: readonly [PeerId, PeerId] }[];
  /** The next snapshot that differs from this one. */
  changed(options?: { signal?: AbortSignal }): Promise<GroupBonds>;
}

/**
 * A handle on this node's membership of a group.
 *
 * Getters are snapshots of the latest state and never wait; `when` waits. Every pending call rejects with
 * `terminated` when the group closes.
 */
export class Group<C, Q, R, O = void> {
  readonly #member: Member<C, Q, R, O>;
  readonly #status: WatchCell<RaftStatus>;
  readonly #bonds: WatchCell<Bonds>;
  readonly #release: () => Promise<void>;
  readonly when: When;
  /** The members that count. */
  readonly voters: Voters;
  #closing: Promise<void> | undefined;
  readonly #stops = new Set<() => void>();

  /** Handles are made by `join()`. */
  constructor(member: Member<C, Q, R, O>, release: () => Promise<void>) {
    this.#member = member;
    this.#release = release;
    this.#status = mirror(member.status, this.#stops);
    this.#bonds = mirror(member.bonds, this.#stops);
    this.when = new When({
      clock: member.components.clock,
      localId: member.localId,
      status: this.#status,
      bonds: this.#bonds,
    });
    this.voters = new Voters(this.#status, (run) => this.#call(run));
    void member.closed.then(({ cause }) => this.#end(cause));
  }

  get id(): GroupId {
    return this.#member.id;
  }

  get leader(): PeerId | undefined {
    return this.#current.leader;
  }

  get isLeader(): boolean {
    return this.leader === this.#member.localId;
  }

  get role(): 'leader' | 'follower' | 'candidate' {
    return this.#current.role;
  }

  get term(): number {
    return this.#status.value.term;
  }

  /** The index up to which this node knows entries to be committed. */
  get committed(): number {
    return this.#status.value.committed;
  }

  get logPosition(): { readonly term: number; readonly index: number } {
    return this.#status.value.logPosition;
  }

  /** It leads, or is a caught-up follower of a known leader. */
  get online(): boolean {
    return this.#current.online;
  }

  get config(): ConsensusConfig {
    return this.#member.plan.config;
  }

  /** Everything that Raft knows of itself here, as a watch cell. */
  get status(): Watch<RaftStatus> {
    return this.#status;
  }

  get bonds(): GroupBonds {
    return describeBonds(this.#bonds.value, this.#bonds);
  }

  /**
   * Resolves once the log is open and this node takes part. @throws GroupError `terminated` when the log cannot be used,
   * with the RaftError `storage-damaged`, `storage-in-use` or `storage-failed` as its cause.
   */
  get opened(): Promise<void> {
    return this.#call(async () => {});
  }

  /** Resolves when this handle is closed or its member ended; never rejects. */
  get closed(): Promise<GroupCloseReason> {
    return this.#member.closed;
  }

  /**
   * Replicates one command and resolves once it is committed and applied here. Applied at most once: when a leader is
   * lost before it answered, the command is sent to the next one, until the call's time is over.
   *
   * @throws GroupError — every code but `unknown-outcome` means that it was not and will not be committed.
   */
  execute(command: C, options?: ExecuteOptions): Promise<{ index: number; output: O }> {
    const { node } = this.#member;
    // Straight to the member, whose errors are a group's: every promise in between costs the hot path.
    if (node && !this.#closing) return node.execute(command, options);
    return this.#call((opened) => opened.execute(command, options), [command]);
  }

  /** One contiguous run of commands, all or none. @throws GroupError as `execute`, and `no-commands`. */
  executeMany(
    commands: readonly C[],
    options?: WaitOptions,
  ): Promise<{ from: number; to: number; outputs: O[] }> {
    return this.#call((node) => node.executeMany(commands, options), commands);
  }

  /** Resolves with the index that the leader gave the command: assigned, not yet committed. */
  feed(command: C, options?: WaitOptions): Promise<number> {
    return this.#call((node) => node.feed(command, options), [command]);
  }

  /** As `feed`, for one contiguous run. */
  feedMany(commands: readonly C[], options?: WaitOptions): Promise<{ from: number; to: number }> {
    return this.#call((node) => node.feedMany(commands, options), commands);
  }

  /** @throws GroupError `offline`, `no-quorum`, `encoding`, `timeout`, `terminated`. */
  query(query: Q, options: QueryOptions): Promise<QueryAnswer<R>> {
    return this.#call((node) => node.query(query, options));
  }

  /**
   * Hands leadership to `to`, or to whoever is most up to date; may be asked of any member. Resolves when another leads.
   * Commands that are executed meanwhile wait for it, at most an election timeout.
   *
   * @throws GroupError `not-a-voter` for a member that does not count or is not connected, `timeout` when it was not
   * elected in time, `change-in-progress`, `offline`, `no-quorum`, `unknown-outcome`, `terminated`.
   */
  transferLeadership(to?: PeerId, options?: WaitOptions): Promise<void> {
    return this.#call((node) => node.transferLeadership(to, options));
  }

  /**
   * Runs `task` whenever this node leads; its signal aborts as soon as it no longer may. One run at a time: the next
   * starts only when the one before has settled. The returned function ends it.
   */
  onLeader(task: (signal: AbortSignal, term: number) => unknown): () => void {
    return runOnLeader(this.#status, this.#member.localId, task, (error) =>
      this.#member.components.logger.error({ group: this.id, error }, 'the task of the leader failed'),
    );
  }

  /**
   * Calls `listener` when commands of this node's log are lost, because its side of the group gave way to another one
   * (quorum `dynamic`, after a network that was split is whole again): once for each time, when this node has caught up
   * with the other side, and without what that side has too because its caller asked there again. Calls that waited for
   * such a command were answered `unknown-outcome` before. Each node tells of its own log: what several held is told by
   * each. Ends when the returned function is called.
   */
  on(_event: 'log:reverted', listener: (reverted: Reverted<C>) => void): () => void {
    const { listeners } = this.#member;
    const own = (reverted: Reverted<C>) => listener(reverted);
    listeners.add(own);
    const stop = () => {
      listeners.delete(own);
      this.#stops.delete(stop);
    };
    this.#stops.add(stop);
    return stop;
  }

  /** Closes this handle; the node leaves the group when its last handle is closed. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#release().then(() => this.#end(undefined));
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #call<T>(run: (node: RaftNode<C, Q, R, O>) => Promise<T>, commands?: readonly C[]): Promise<T> {
    if (this.#closing) throw new GroupError('terminated', 'the group is closed');
    try {
      return await run(this.#member.node ?? (await this.#member.opened));
    } catch (error) {
      throw toGroupError(error, commands);
    }
  }

  /** What is known now: after a pause of the process no leader of before it is believed to be one. */
  get #current(): RaftStatus {
    this.#member.node?.noticeTime();
    return this.#status.value;
  }

  #end(cause: unknown): void {
    const terminated = new GroupError('terminated', 'the group is closed', { cause });
    for (const stop of [...this.#stops]) stop();
    this.#status.close(terminated);
    this.#bonds.close(terminated);
  }
}

/** A cell of one's own that follows another: closing it ends one handle's waits, not everybody's. */
function mirror<T>(source: Watch<T>, stops: Set<() => void>): WatchCell<T> {
  const cell = new WatchCell(source.value);
  stops.add(source.subscribe((value) => cell.set(value)));
  return cell;
}

function describeBonds(bonds: Bonds, watch: Watch<Bonds>): GroupBonds {
  return {
    size: bonds.size,
    topology: bonds.topology,
    get: (peer) => bonds.get(peer),
    has: (peer) => bonds.has(peer),
    [Symbol.iterator]: () => bonds[Symbol.iterator](),
    async changed(options = {}) {
      const current = watch.value === bonds ? await watch.changed(options) : watch.value;
      return describeBonds(current, watch);
    },
  };
}
