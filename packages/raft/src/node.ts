import {
  type ConsensusConfig,
  type GroupId,
  type NetworkId,
  type PeerId,
  type RaftBody,
  type RaftEpoch,
  RaftMessage,
  type RaftRequest,
  UniqueId,
  WireError,
} from '@mosaik/wire';
import { type Timer, type Watch, WatchCell } from '@mosaik/wire/runtime';
import { Applier } from './applier.ts';
import { ApplySlices } from './apply-slices.ts';
import { Calls, refusal } from './calls.ts';
import { type CompactionOptions, compaction } from './compaction.ts';
import type { RaftComponents } from './components.ts';
import { DEFAULT_LIMITS } from './core/config.ts';
import { sameEpoch } from './core/epoch.ts';
import { isCommand } from './core/log.ts';
import { RaftCore } from './core/raft-core.ts';
import { Driver, type NodeEffect } from './driver.ts';
import { RaftError } from './errors.ts';
import { assertJoinable } from './joinable.ts';
import { LeaderRequests } from './leader-requests.ts';
import { OwnStateSync } from './own-state-sync.ts';
import { type PendingCall, uncertain } from './pending.ts';
import type { Preference } from './preference.ts';
import { Queries } from './queries.ts';
import { describeReverted, type Reverted } from './reverted.ts';
import { Snapshotter } from './snapshotter.ts';
import type { StateMachine } from './state-machine.ts';
import { describeProgress, describeState, type RaftStatus, type VoterSet } from './status.ts';
import type { LogStorage } from './storage/log-storage.ts';
import { memoryLogStorage } from './storage/memory.ts';

/** How long a call waits that sets no time of its own. */
const DEFAULT_CALL_TIMEOUT_MS = 30_000;
const SWEEP_INTERVAL_MS = 1000;
/** A peer's term is at most so far above the own: more elections than there ever are, and no number runs out. */
const MAX_TERM_LEAD = 2 ** 32;
const MAX_IDEMPOTENCY_KEY_LENGTH = 256;
/** Calls of `execute…` and `feed…` without an answer. */
const MAX_CALLS = 1 << 17;

export interface RaftNodeInit<C, Q, R, O> {
  readonly localId: PeerId;
  readonly groupId: GroupId;
  readonly networkId: NetworkId;
  readonly config: ConsensusConfig;
  readonly preference: Preference;
  readonly machine: StateMachine<C, Q, R, O>;
  /** Default: a fresh `memoryLogStorage()`. */
  readonly storage?: LogStorage | undefined;
  /** Of a machine with `snapshot` and `restore`; without them the log is kept whole. */
  readonly compaction?: CompactionOptions | undefined;
  readonly components: RaftComponents;
  /** Commands of this member's log are gone, and the machine is back to before them. */
  readonly handleReverted?: ((reverted: Reverted<C>) => void) | undefined;
}

export interface CallOptions {
  /** Abort after sending is `unknown-outcome`. */
  readonly signal?: AbortSignal | undefined;
  /** Default 30 000 for commands, `queryTimeoutMs` for queries. */
  readonly timeoutMs?: number | undefined;
}

export interface ExecuteOptions extends CallOptions {
  /**
   * Of 1 to 256 characters: of all commands with this key, whoever sends them, the first that commits is applied, and the
   * others are answered as it was, as long as the members remember the key (`maxSessions`, oldest forgotten first).
   * Needs the machine's `output` codec.
   */
  readonly idempotencyKey?: string | undefined;
}

export interface QueryOptions extends CallOptions {
  readonly consistency: 'weak' | 'strong';
  /** Waits until this index is applied here. */
  readonly minIndex?: number | undefined;
}

/** One member of one group: a consensus core, a state machine, and the calls that wait for them. */
export class RaftNode<C, Q, R, O = void> {
  /** Of the log store, as it was when opened: goes into the handshake of every bond. */
  readonly incarnation: bigint;
  readonly #init: RaftNodeInit<C, Q, R, O>;
  readonly #storage: LogStorage;
  readonly #core: RaftCore;
  readonly #driver: Driver;
  readonly #applier: Applier<C, Q, R, O>;
  readonly #slices: ApplySlices;
  readonly #calls: Calls<O>;
  /** What the session of this member is opened for: drawn anew by every process. */
  readonly #life: bigint;
  readonly #queries: Queries<Q, R>;
  readonly #requests: LeaderRequests;
  readonly #snapshotter: Snapshotter | undefined;
  readonly #ownSync: OwnStateSync | undefined;
  readonly #status: WatchCell<RaftStatus>;
  readonly #labels: Readonly<Record<string, string>>;
  readonly #storageProblem: (() => void) | undefined;
  #sweep: Timer | undefined;
  #handedOver: (() => void) | undefined;
  #changed = false;
  /** Not only progress of the log. */
  #stateChanged = false;
  /** In this turn. */
  readonly #reverted: Reverted<C>[] = [];
  #revertedCount = 0;
  #closed: 'closed' | 'failed' | 'diverged' | undefined;

  /** @throws RangeError / TypeError for a preference or machine that the configuration does not allow. */
  static async open<C, Q, R, O = void>(init: RaftNodeInit<C, Q, R, O>): Promise<RaftNode<C, Q, R, O>> {
    assertJoinable(init, init.localId);
    const { retainBytes, revertHorizonBytes } = compaction(init.compaction);
    const storage = init.storage ?? memoryLogStorage();
    const stored = await storage.open({ group: init.groupId, member: init.localId });
    const { components, preference } = init;
    const core = new RaftCore({
      config: {
        localId: init.localId,
        consensus: init.config,
        observer: preference === 'observer',
        witness: preference === 'witness',
        reluctance: typeof preference === 'object' ? preference.reluctant : preference === 'witness' ? 2 : 1,
        limits: { ...DEFAULT_LIMITS, retainBytes, revertHorizonBytes },
        durableAtOnce: storage.durableAtOnce,
        ownStateSync: init.machine.stateSync?.().open !== undefined,
      },
      rng: components.rng,
      stored,
      nowMs: components.clock.nowMs(),
    });
    return new RaftNode(init, storage, core);
  }

  private constructor(init: RaftNodeInit<C, Q, R, O>, storage: LogStorage, core: RaftCore) {
    const { components, groupId, networkId, machine } = init;
    this.#init = init;
    this.#storage = storage;
    this.#core = core;
    this.incarnation = core.state.incarnation;
    this.#labels = { group: groupId };
    this.#calls = new Calls(MAX_CALLS);
    this.#life = components.rng.u64();
    this.#snapshotter = this.#createSnapshotter();
    this.#ownSync = OwnStateSync.open(machine.stateSync?.(), {
      core,
      components,
      input: (input) => this.#driver.handle(input),
    });
    this.#applier = new Applier({
      machine,
      log: core.log,
      snapshotter: this.#snapshotter,
      groupId,
      networkId,
      localId: init.localId,
      incarnation: this.#life,
      maxSessions: init.config.maxSessions,
      handleSession: (session) => this.#calls.handleSession(session),
      handleReplaced: (session, wasApplied) => this.#calls.handleReplaced(session, wasApplied),
      handleApplied: (sequence, index, output, more) =>
        this.#calls.handleApplied(sequence, index, output, more),
      handleRejected: (sequence, error) => this.#calls.handleRejected(sequence, error),
    });
    this.#slices = new ApplySlices({
      clock: components.clock,
      apply: (to, isLate) => {
        this.#applier.applyTo(to, isLate);
        return this.#applier.applied;
      },
      handleApplied: (later) => {
        this.#queries.handleApplied();
        if (!later) return;
        this.#changed = true;
        this.#driver.schedule();
      },
      handleFailure: (error) => this.#fail(error),
    });
    this.#queries = new Queries({
      clock: components.clock,
      timeoutMs: init.config.queryTimeoutMs,
      run: (query: Q) => machine.query(query),
      applied: () => this.#applier.applied,
      changed: () => this.#driver.schedule(),
    });
    this.#requests = new LeaderRequests(components.clock, DEFAULT_CALL_TIMEOUT_MS, (input) =>
      this.#driver.handle(input),
    );
    if (core.state.snapshot && !core.state.config.witness) this.#applier.restore(core.state.snapshot);
    this.#slices.restart(this.#applier.applied);
    this.#status = new WatchCell(describeState(core.state, this.#applier.applied, components.clock.nowMs()));
    this.#driver = new Driver({
      core,
      storage,
      components,
      labels: this.#labels,
      collect: () => this.#collect(),
      handleEffect: (effect) => this.#handleEffect(effect),
      handleTurn: () => this.#handleTurn(),
      handleFailure: (error) => this.#fail(error),
    });
    this.#storageProblem = storage.problem?.subscribe(() => {
      this.#changed = true;
      this.#stateChanged = true;
      this.#driver.schedule();
    });
  }

  /** What this member is and knows; a new value at most once per turn. */
  get status(): Watch<RaftStatus> {
    return this.#status;
  }

  /**
   * Looks at the clock: a leader that was away for longer than an election timeout finds out now, and not only with the
   * next message or timer. Ask before believing `status` where a leader of yesterday would do harm.
   */
  noticeTime(): void {
    if (!this.#closed && this.#driver.idleMs > this.#init.config.electionTimeoutMs) this.#driver.turnNow();
  }

  handleBondUp(peer: PeerId, incarnation: bigint): void {
    this.#driver.handle({ type: 'bond-up', peer, incarnation });
  }

  /** `departed`: the peer said that it leaves. */
  handleBondDown(peer: PeerId, departed: boolean): void {
    this.#driver.handle({ type: 'bond-down', peer, departed });
  }

  /**
   * Takes one message of the bond with `peer`, of either lane. The bytes are the node's from then on: it keeps views.
   *
   * @throws WireError on malformed input: the bond is to be closed with 400.
   */
  handleMessage(peer: PeerId, bytes: Uint8Array): void {
    const message = RaftMessage.decode(bytes);
    this.#checkBounds(message);
    if (message.body.type === 'StateSync') this.#ownSync?.handleMessage(peer, message.body.payload);
    else this.#driver.handle({ type: 'message', from: peer, message });
  }

  /**
   * Resolves when this very command is committed and applied here.
   *
   * Through a follower the command is forwarded and the answer still comes from this member's own machine: outputs need
   * no codec, and whoever got an answer reads its own write here.
   *
   * @throws RaftError; every code but `unknown-outcome` means that nothing was or will be committed.
   */
  execute(command: C, options: ExecuteOptions = {}): Promise<{ index: number; output: O }> {
    const { idempotencyKey } = options;
    return this.#call([command], options, { feed: false, idempotencyKey }, ({ from, outputs }) => ({
      index: from,
      output: outputs[0] as O,
    }));
  }

  /** One contiguous run, all or none; its commands together are at most `maxCommandBytes`. @throws as `execute`. */
  executeMany(
    commands: readonly C[],
    options: CallOptions = {},
  ): Promise<{ from: number; to: number; outputs: O[] }> {
    return this.#call(commands, options, { feed: false }, (call) => ({
      ...range(call),
      outputs: call.outputs,
    }));
  }

  /** Resolves when the command has its place in the leader's log: not yet committed. @throws as `execute`. */
  feed(command: C, options: CallOptions = {}): Promise<number> {
    return this.#call([command], options, { feed: true }, ({ from }) => from);
  }

  /** As `feed`, for one contiguous run. */
  feedMany(commands: readonly C[], options: CallOptions = {}): Promise<{ from: number; to: number }> {
    return this.#call(commands, options, { feed: true }, range);
  }

  /**
   * `weak` answers from what is applied here; `strong` after the leader was confirmed by a majority, so it sees every
   * write that was acknowledged before the call.
   *
   * @throws RaftError `offline`, `no-quorum`, `overloaded`, `timeout`, `terminated`: a query changes nothing.
   */
  query(query: Q, options: QueryOptions): Promise<{ result: R; index: number }> {
    if (this.#closed) return Promise.reject(this.#terminated());
    if (this.#core.state.config.witness) return Promise.reject(withoutMachine());
    return this.#queries.ask(query, options);
  }

  /**
   * Hands leadership to `to`, or to whoever is most up to date; may be asked of any member. Resolves when another leads.
   * Commands wait meanwhile, at most an election timeout.
   *
   * @throws RaftError `not-a-voter` for a member that is not in the set or not connected, `timeout` when it was not
   * elected in time, `change-in-progress`, `offline`, `no-quorum`, `unknown-outcome`.
   */
  async transferLeadership(to?: PeerId | undefined, options: CallOptions = {}): Promise<void> {
    if (this.#closed) throw this.#terminated();
    const before = this.#status.value.term;
    await this.#ask(
      { type: 'Transfer', to },
      options,
      ({ leader, term }) => leader !== undefined && (leader === to || term > before),
    );
  }

  /**
   * Makes `peer` a voter: it is listed now, and counts once it has caught up, when this resolves. May be asked of any
   * member; already done is done.
   *
   * @throws RaftError `change-in-progress`, `not-a-voter` for an observer, `offline`, `unknown-outcome`: it may be, or
   * still become, listed. TypeError where the set follows the bonds.
   */
  async addVoter(peer: PeerId, options: CallOptions = {}): Promise<void> {
    await this.#changeVoters({ type: 'AddVoter', peer }, options, ({ current }) => current.includes(peer));
  }

  /**
   * Removes a voter, counting or not, and resolves when that is committed. A leader that is removed hands over.
   *
   * @throws RaftError `change-in-progress`, `not-a-voter`, `no-quorum` for the last one or when the others that answer
   * are no majority, `offline`, `unknown-outcome`. TypeError where the set follows the bonds.
   */
  async removeVoter(peer: PeerId, options: CallOptions = {}): Promise<void> {
    await this.#changeVoters(
      { type: 'RemoveVoter', peer },
      options,
      ({ current, learners }) => !current.includes(peer) && !learners.includes(peer),
    );
  }

  async #changeVoters(
    what: RaftRequest,
    options: CallOptions,
    isDone: (voters: VoterSet) => boolean,
  ): Promise<void> {
    if (this.#init.config.quorum.type !== 'Voters')
      throw new TypeError("the set of a group with quorum 'dynamic' follows the bonds");
    if (this.#closed) throw this.#terminated();
    await this.#ask(
      what,
      options,
      ({ voters }) => voters !== undefined && !voters.changing && isDone(voters),
    );
  }

  /** Asks the leader, and waits until this member itself sees that it was done. */
  async #ask(
    what: RaftRequest,
    options: CallOptions,
    isSeen: (status: RaftStatus) => boolean,
  ): Promise<void> {
    const deadlineMs = this.#init.components.clock.nowMs() + (options.timeoutMs ?? DEFAULT_CALL_TIMEOUT_MS);
    await this.#requests.ask(what, options);
    await this.#requests.until(this.#status, isSeen, { signal: options.signal, deadlineMs });
  }

  /**
   * Graceful leave, before the bonds depart: a leader hands over and waits until another leads, at most an election
   * timeout. Never rejects.
   */
  depart(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#closed || this.#core.state.stopped) return resolve();
      const timer = this.#init.components.clock.schedule(this.#init.config.electionTimeoutMs, resolve);
      this.#handedOver = () => {
        timer.cancel();
        resolve();
      };
      this.#driver.handle({ type: 'depart' });
    });
  }

  /** Ends the member: every pending call rejects, then the storage is closed. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed === 'closed') return;
    this.#end('closed');
    await this.#storage.close();
  }

  #call<T>(
    commands: readonly C[],
    { signal, timeoutMs }: CallOptions,
    { feed, idempotencyKey }: { feed: boolean; idempotencyKey?: string | undefined },
    answer: (call: PendingCall<O>) => T,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const key = idempotencyKey === undefined ? undefined : this.#parseKey(idempotencyKey);
      if (this.#closed) throw this.#terminated();
      signal?.throwIfAborted();
      if (this.#core.state.config.witness) throw withoutMachine(commands);
      const encoded = this.#encode(commands);
      const { clock } = this.#init.components;
      if (signal === undefined && timeoutMs === undefined) {
        this.#add({
          commands: encoded,
          given: commands,
          feed,
          key,
          deadlineMs: clock.nowMs() + DEFAULT_CALL_TIMEOUT_MS,
          resolve: (call) => resolve(answer(call)),
          reject,
        });
        return;
      }
      const finish = () => {
        timer?.cancel();
        signal?.removeEventListener('abort', abort);
      };
      const call = this.#add({
        commands: encoded,
        given: commands,
        feed,
        key,
        deadlineMs:
          timeoutMs === undefined ? clock.nowMs() + DEFAULT_CALL_TIMEOUT_MS : Number.POSITIVE_INFINITY,
        resolve: (done) => {
          finish();
          resolve(answer(done));
        },
        reject: (error) => {
          finish();
          reject(error);
        },
      });
      const giveUp = (why: string, unsent: () => unknown) => {
        this.#calls.giveUp(call, unsent, () => uncertain(why));
      };
      const abort = () => giveUp('aborted after it was sent', () => signal?.reason);
      signal?.addEventListener('abort', abort);
      const timer =
        timeoutMs === undefined
          ? undefined
          : clock.schedule(timeoutMs, () => giveUp('no answer in time', () => refusal('Offline', commands)));
    });
  }

  #add(call: Parameters<Calls<O>['add']>[0]): PendingCall<O> {
    const pending = this.#calls.add(call);
    this.#driver.schedule();
    this.#sweep ??= this.#init.components.clock.schedule(SWEEP_INTERVAL_MS, () => this.#handleSweep());
    return pending;
  }

  #handleSweep(): void {
    this.#sweep = undefined;
    const { clock } = this.#init.components;
    this.#calls.expire(clock.nowMs());
    this.#calls.wake();
    this.#maybeContinue();
    if (this.#calls.size > 0 && !this.#closed)
      this.#sweep = clock.schedule(SWEEP_INTERVAL_MS, () => this.#handleSweep());
  }

  #parseKey(key: string): UniqueId {
    if (typeof key !== 'string') throw new TypeError(`idempotencyKey must be a string, got ${typeof key}`);
    if (key.length < 1 || key.length > MAX_IDEMPOTENCY_KEY_LENGTH)
      throw new RangeError(
        `idempotencyKey must have 1 to ${MAX_IDEMPOTENCY_KEY_LENGTH} characters, got ${key.length}`,
      );
    if (!this.#init.machine.output)
      throw new TypeError('idempotencyKey needs a machine with an output codec');
    return UniqueId.from(`key ${key}`);
  }

  #encode(commands: readonly C[]): Uint8Array[] {
    if (commands.length === 0) throw new RaftError('no-commands', 'there is no command to execute');
    const { machine, config } = this.#init;
    let bytes = 0;
    const encoded = commands.map((command) => {
      let value: Uint8Array;
      try {
        value = machine.command.encode(command);
      } catch (cause) {
        throw new RaftError('encoding', `the command cannot be encoded: ${String(cause)}`, { cause });
      }
      bytes += value.length;
      return value;
    });
    if (bytes > config.maxCommandBytes) {
      throw new RaftError(
        'too-large',
        `${bytes} bytes of commands are above maxCommandBytes ${config.maxCommandBytes}`,
      );
    }
    return encoded;
  }

  /** What the codec can not know: sizes that the group agreed on, at forward and append too, and what this member holds. */
  #checkBounds({ body }: RaftMessage): void {
    const term = termOf(body);
    if (term > this.#core.state.term + MAX_TERM_LEAD)
      throw new WireError('invalid-value', 0, `term ${term} is out of reach of ${this.#core.state.term}`);
    const max = this.#init.config.maxCommandBytes;
    if (body.type === 'Append') {
      for (const { entries } of body.entries) {
        for (const entry of entries) if (isCommand(entry)) check(entry.value.length, max);
      }
    } else if (body.type === 'Forward') {
      for (const run of body.proposals) {
        if (run.length === 0) throw new WireError('invalid-value', 0, 'a forwarded run without commands');
        check(
          run.reduce((total, command) => total + command.length, 0),
          max,
        );
        for (const command of run) this.#checkCommand(command);
      }
      checkNumbers(body);
    }
  }

  /** A command that no machine can read would stop every member once it is committed. */
  #checkCommand(command: Uint8Array): void {
    try {
      this.#init.machine.command.decode(command);
    } catch (error) {
      throw new WireError(
        'invalid-value',
        0,
        `the machine does not know a forwarded command: ${String(error)}`,
      );
    }
  }

  #createSnapshotter(): Snapshotter | undefined {
    const { machine, components, compaction: options } = this.#init;
    const kept = this.#init.preference === 'witness' || machine.stateSync?.().keepsLog;
    if (!machine.snapshot || !machine.restore || kept) return undefined;
    return new Snapshotter({
      log: this.#core.log,
      clock: components.clock,
      options: compaction(options),
      take: () => machine.snapshot?.() ?? [],
      handleTaken: (snapshot) => this.#driver.handle({ type: 'snapshot', snapshot }),
      handleFailure: (error) => this.#fail(error),
    });
  }

  #collect(): void {
    const nowMs = this.#init.components.clock.nowMs();
    this.#propose(nowMs);
    const reads = this.#queries.take();
    if (reads) this.#core.handle({ type: 'read', ...reads }, nowMs);
  }

  #propose(nowMs: number): void {
    const core = this.#core;
    if (this.#leaderless) this.#calls.refuseFresh('Offline');
    const epoch = this.#readyEpoch();
    if (!epoch) return;
    const { open, batches } = this.#calls.take(epoch);
    if (open !== undefined)
      core.handle({ type: 'open-session', number: open, incarnation: this.#life }, nowMs);
    for (const batch of batches) core.handle({ type: 'propose', batch }, nowMs);
  }

  /** Nobody leads, and nobody is about to. */
  get #leaderless(): boolean {
    const { leader, held } = this.#core.state;
    return leader === undefined && !held.active;
  }

  /** The epoch of the leader, once an entry of it is applied: then so is all that its log had before. */
  #readyEpoch(): RaftEpoch | undefined {
    const { epoch, log } = this.#core.state;
    return epoch && sameEpoch(log.epochAt(this.#applier.applied), epoch) ? epoch : undefined;
  }

  #handleEffect(effect: NodeEffect): void {
    switch (effect.type) {
      case 'apply':
        if (!this.#core.state.config.witness) this.#slices.advanceTo(effect.to);
        return;
      case 'revert':
        this.#handleRevert(effect);
        return;
      case 'fetch-state':
        this.#ownSync?.fetch(effect.offer, effect.sources);
        return;
      case 'restore':
        if (this.#core.state.config.witness) return;
        this.#applier.restore(effect.snapshot);
        this.#slices.restart(this.#applier.applied);
        this.#queries.handleApplied();
        return;
      case 'accepted':
        this.#calls.handleAccepted(effect.first, effect.count, effect.index);
        return;
      case 'refused':
        this.#calls.handleRefused(effect.first, effect.count, effect.reason);
        return;
      case 'uncertain':
        this.#calls.handleUncertain(effect.first, effect.count);
        return;
      case 'read-ready':
        this.#queries.handleReady(effect.first, effect.count, this.#slices.target);
        return;
      case 'read-refused':
        this.#queries.handleRefused(effect.first, effect.count, effect.reason);
        return;
      case 'request-done':
        this.#requests.handleDone(effect.request);
        return;
      case 'request-refused':
        this.#requests.handleRefused(effect.request, effect.reason);
        return;
      case 'request-unknown':
        this.#requests.handleUnknown(effect.request);
        return;
      case 'handed-over':
        this.#handedOver?.();
        return;
      case 'state-changed':
        this.#changed = true;
        if (!effect.progress) this.#stateChanged = true;
    }
  }

  /** Its side lost to another (consensus D8). The machine is restored by the effects that follow. */
  #handleRevert(effect: Extract<NodeEffect, { type: 'revert' }>): void {
    const { machine, components } = this.#init;
    const { applied } = this.#applier;
    const reverted = describeReverted(effect, applied, (bytes) => machine.command.decode(bytes));
    this.#calls.handleReverted();
    this.#applier.rewindTo(effect.to);
    this.#slices.rewindTo(effect.to);
    // Told at once: the commit index may be back where it was by the end of the turn.
    const { value } = this.#status;
    const committed = Math.min(value.committed, effect.to);
    this.#status.set({ ...value, online: false, committed, applied: this.#applier.applied });
    if (!reverted) return;
    this.#revertedCount += reverted.commands.length;
    components.metrics.count('mosaik.groups.raft.reverted', this.#labels, reverted.commands.length);
    components.logger.warn(
      { ...this.#labels, from: reverted.from, to: reverted.to, commands: reverted.commands.length },
      'this side of the group gave way to another: commands are gone',
    );
    this.#reverted.push(reverted);
  }

  #handleTurn(): void {
    this.#maybeContinue();
    // The machine is back to what both sides had.
    for (const reverted of this.#reverted.splice(0)) this.#init.handleReverted?.(reverted);
    if (!this.#changed) return;
    this.#changed = false;
    const { components } = this.#init;
    if (!this.#stateChanged) {
      this.#status.set(describeProgress(this.#status.value, this.#core.state, this.#applier.applied));
      components.metrics.gauge('mosaik.groups.raft.committed', this.#core.state.commit, this.#labels);
      return;
    }
    this.#stateChanged = false;
    const described = {
      ...describeState(this.#core.state, this.#applier.applied, components.clock.nowMs()),
      ...(this.#revertedCount > 0 ? { reverted: this.#revertedCount } : {}),
    };
    const stored = this.#storage.problem?.value;
    const status = stored === undefined ? described : { ...described, problem: described.problem ?? stored };
    this.#status.set(status);
    components.metrics.gauge('mosaik.groups.raft.committed', status.committed, this.#labels);
    components.metrics.gauge('mosaik.groups.raft.term', status.term, this.#labels);
    components.metrics.gauge('mosaik.groups.raft.committee.voters', status.members.length, this.#labels);
    if (status.state !== 'running') {
      this.#rejectCalls(
        () => this.#terminated(),
        () => uncertain(`the member stopped (${status.state})`),
      );
    }
  }

  /** Something that waited can go on now, or never will. */
  #maybeContinue(): void {
    if (this.#leaderless ? this.#calls.hasFresh : this.#calls.due && this.#readyEpoch())
      this.#driver.schedule();
  }

  /** Our own bug, a store that failed, or a machine that threw: this member must not go on. */
  #fail(error: unknown): void {
    if (this.#closed) return;
    const state = this.#reverted.length > 0 ? 'diverged' : 'failed';
    const problem = error instanceof Error ? error.message : String(error);
    this.#init.components.logger.error({ ...this.#labels, error }, `the member failed: ${problem}`);
    const index = this.#applier.applied + 1;
    const machineFailed = error instanceof RaftError && error.code === 'apply-failed';
    this.#driver.stop(problem);
    this.#end(state, problem, (call) => {
      if (machineFailed && call && call.from <= index && index < call.from + call.commands.length)
        return error;
      return uncertain('the member failed');
    });
  }

  #end(
    state: 'closed' | 'failed' | 'diverged',
    problem?: string,
    sent: (call?: PendingCall<O>) => unknown = () => uncertain('the member was closed'),
  ): void {
    const before = this.#closed;
    this.#closed = state;
    if (before) {
      this.#status.close(this.#terminated());
      return;
    }
    this.#driver.close();
    this.#snapshotter?.close();
    this.#ownSync?.close();
    this.#storageProblem?.();
    this.#slices.close();
    this.#sweep?.cancel();
    this.#handedOver?.();
    this.#rejectCalls(() => this.#terminated(), sent);
    this.#status.set({
      ...this.#status.value,
      state,
      ...(problem === undefined ? {} : { problem }),
      role: 'follower',
      leader: undefined,
      online: false,
    });
    if (state === 'closed') this.#status.close(this.#terminated());
  }

  #rejectCalls(unsent: () => unknown, sent: (call?: PendingCall<O>) => unknown): void {
    this.#calls.rejectAll(unsent, sent);
    this.#queries.rejectAll(unsent);
    this.#requests.rejectAll(sent);
  }

  #terminated(): RaftError {
    return new RaftError(
      'terminated',
      `the member is ${this.#closed ?? this.#core.state.stopped ?? 'closed'}`,
    );
  }
}

/** Where the commands of a call stand. */
function range({ from, commands }: PendingCall<unknown>): { from: number; to: number } {
  return { from, to: from + commands.length - 1 };
}

function withoutMachine(commands?: readonly unknown[]): RaftError {
  return new RaftError('offline', 'a witness has no state machine: ask another member', { commands });
}

/** The term that a message could move its receiver to. */
function termOf(body: RaftBody): number {
  switch (body.type) {
    case 'Status':
    case 'Claim':
      return Math.max(body.term, body.epoch?.term ?? 0);
    case 'Yield':
    case 'Yielded':
      return body.term;
    case 'VoteResponse':
    case 'Appended':
      return body.term;
    case 'VoteRequest':
    case 'Append':
      return body.epoch.term;
    default:
      return 0;
  }
}

/** Sequences that a session can have, and keys for single commands of the message, in order. */
function checkNumbers({ first, ackedBelow, keys, proposals }: Extract<RaftBody, { type: 'Forward' }>): void {
  if (first < 1 || ackedBelow > first || !Number.isSafeInteger(first + proposals.length))
    throw new WireError('invalid-value', 0, `sequences from ${first}, answered below ${ackedBelow}`);
  let before = -1;
  for (const { at } of keys) {
    if (at <= before || proposals[at]?.length !== 1)
      throw new WireError('invalid-value', 0, `a key for proposal ${at} of ${proposals.length}`);
    before = at;
  }
}

function check(bytes: number, max: number): void {
  if (bytes > max)
    throw new WireError('limit', 0, `a command of ${bytes} bytes above maxCommandBytes ${max}`);
}
