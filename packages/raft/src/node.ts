import { type PeerId, RaftMessage, type RaftRequest } from '@mosaik/wire';
import type { Watch } from '@mosaik/wire/runtime';
import {
  type CallOptions,
  DEFAULT_CALL_TIMEOUT_MS,
  type ExecuteOptions,
  type QueryOptions,
} from './call-options.ts';
import { Calls } from './calls.ts';
import { Commands, withoutMachine } from './commands.ts';
import type { RaftCore } from './core/raft-core.ts';
import { Driver } from './driver.ts';
import { RaftError } from './errors.ts';
import { assertJoinable } from './joinable.ts';
import { LeaderRequests } from './leader-requests.ts';
import { MachineHost } from './machine-host.ts';
import { checkBounds } from './message-bounds.ts';
import type { RaftNodeInit } from './node-init.ts';
import { openCore } from './open-core.ts';
import { type PendingCall, uncertain } from './pending.ts';
import { Proposer } from './proposer.ts';
import { Queries } from './queries.ts';
import { rehearse } from './rehearsal.ts';
import { routeEffect } from './route-effect.ts';
import type { RaftStatus, VoterSet } from './status.ts';
import { StatusPublisher } from './status-publisher.ts';
import type { LogStorage } from './storage/log-storage.ts';
import { memoryLogStorage } from './storage/memory.ts';

/** Calls of `execute…` and `feed…` without an answer. */
const MAX_CALLS = 1 << 17;

/** One member of one group: a consensus core, a state machine, and the calls that wait for them. */
export class RaftNode<C, Q, R, O = void> {
  /** Of the log store, as it was when opened: goes into the handshake of every bond. */
  readonly incarnation: bigint;
  readonly #init: RaftNodeInit<C, Q, R, O>;
  readonly #storage: LogStorage;
  readonly #core: RaftCore;
  readonly #driver: Driver;
  readonly #host: MachineHost<C, Q, R, O>;
  readonly #calls: Calls<O>;
  readonly #commands: Commands<C, O>;
  readonly #proposer: Proposer;
  readonly #queries: Queries<Q, R>;
  readonly #requests: LeaderRequests;
  readonly #publisher: StatusPublisher;
  readonly #labels: Readonly<Record<string, string>>;
  #handedOver: (() => void) | undefined;
  #closed: 'closed' | 'failed' | 'diverged' | undefined;

  /** @throws RangeError / TypeError for a preference or machine that the configuration does not allow. */
  static async open<C, Q, R, O = void>(init: RaftNodeInit<C, Q, R, O>): Promise<RaftNode<C, Q, R, O>> {
    assertJoinable(init, init.localId);
    const storage = init.storage ?? memoryLogStorage();
    const core = await openCore(init, storage);
    rehearse(init.components.clock, init.config.quorum.type, (own) => RaftNode.open(own));
    return new RaftNode(init, storage, core);
  }

  private constructor(init: RaftNodeInit<C, Q, R, O>, storage: LogStorage, core: RaftCore) {
    const { components, config, groupId, machine } = init;
    const { clock } = components;
    const toError = init.toError ?? ((error: unknown) => error);
    const schedule = () => this.#driver.schedule();
    const applied = () => this.#host.applied;
    // What the session of this member is opened for: drawn anew by every process.
    const life = components.rng.u64();
    this.#init = init;
    this.#storage = storage;
    this.#core = core;
    this.incarnation = core.state.incarnation;
    this.#labels = { group: groupId };
    this.#calls = new Calls(MAX_CALLS, toError);
    this.#host = new MachineHost({
      node: init,
      core,
      calls: this.#calls,
      life,
      input: (input) => this.#driver.handle(input),
      handleApplied: (later) => this.#handleApplied(later),
      handleReverted: (reverted) => this.#publisher.handleReverted(reverted),
      schedule,
      handleFailure: (error) => this.#fail(error),
    });
    this.#proposer = new Proposer({ core, calls: this.#calls, life, applied, changed: schedule });
    this.#commands = new Commands({
      calls: this.#calls,
      clock,
      machine,
      maxCommandBytes: config.maxCommandBytes,
      witness: core.state.config.witness === true,
      toError,
      assertOpen: () => this.#assertOpen(),
      changed: schedule,
      maybeContinue: () => this.#proposer.maybeContinue(),
    });
    this.#queries = new Queries({
      clock,
      timeoutMs: config.queryTimeoutMs,
      run: (query: Q) => machine.query(query),
      applied,
      changed: schedule,
    });
    this.#requests = new LeaderRequests(clock, DEFAULT_CALL_TIMEOUT_MS, (input) =>
      this.#driver.handle(input),
    );
    this.#publisher = new StatusPublisher({
      core,
      storage,
      components,
      labels: this.#labels,
      applied,
      changed: schedule,
    });
    const receivers = {
      host: this.#host,
      calls: this.#calls,
      queries: this.#queries,
      requests: this.#requests,
      publisher: this.#publisher,
      handleHandedOver: () => this.#handedOver?.(),
    };
    this.#driver = new Driver({
      core,
      storage,
      components,
      labels: this.#labels,
      collect: () => this.#collect(),
      handleEffect: (effect) => routeEffect(effect, receivers),
      handleTurn: () => this.#handleTurn(),
      handleFailure: (error) => this.#fail(error),
    });
  }

  /** What this member is and knows; a new value at most once per turn. */
  get status(): Watch<RaftStatus> {
    return this.#publisher.status;
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
    const { body } = message;
    checkBounds(body, {
      term: this.#core.state.term,
      maxCommandBytes: this.#init.config.maxCommandBytes,
      machine: this.#init.machine,
    });
    if (body.type === 'StateSync') this.#host.handleStateSync(peer, body.payload);
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
    return this.#commands.call([command], { ...options, feed: false }, outputOf<O>);
  }

  /** One contiguous run, all or none; its commands together are at most `maxCommandBytes`. @throws as `execute`. */
  executeMany(
    commands: readonly C[],
    options: CallOptions = {},
  ): Promise<{ from: number; to: number; outputs: O[] }> {
    return this.#commands.call(commands, { ...options, feed: false }, outputsOf<O>);
  }

  /** Resolves when the command has its place in the leader's log: not yet committed. @throws as `execute`. */
  feed(command: C, options: CallOptions = {}): Promise<number> {
    return this.#commands.call([command], { ...options, feed: true }, ({ from }) => from);
  }

  /** As `feed`, for one contiguous run. */
  feedMany(commands: readonly C[], options: CallOptions = {}): Promise<{ from: number; to: number }> {
    return this.#commands.call(commands, { ...options, feed: true }, range);
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
    const before = this.status.value.term;
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
    await this.#requests.until(this.status, isSeen, { signal: options.signal, deadlineMs });
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

  #collect(): void {
    const nowMs = this.#init.components.clock.nowMs();
    this.#proposer.propose(nowMs);
    const reads = this.#queries.take();
    if (reads) this.#core.handle({ type: 'read', ...reads }, nowMs);
  }

  #handleApplied(later: boolean): void {
    this.#queries.handleApplied();
    if (this.#core.state.sync) this.#driver.handle({ type: 'applied', to: this.#host.applied });
    if (!later) return;
    this.#publisher.handleChange(true);
    this.#driver.schedule();
  }

  #handleTurn(): void {
    this.#proposer.maybeContinue();
    this.#host.handleTurn();
    const status = this.#publisher.publish();
    if (status === undefined || status.state === 'running') return;
    this.#rejectCalls(
      () => this.#terminated(),
      () => uncertain(`the member stopped (${status.state})`),
    );
  }

  /** Our own bug, a store that failed, or a machine that threw: this member must not go on. */
  #fail(error: unknown): void {
    if (this.#closed) return;
    const state = this.#host.reverting ? 'diverged' : 'failed';
    const problem = error instanceof Error ? error.message : String(error);
    this.#init.components.logger.error({ ...this.#labels, error }, `the member failed: ${problem}`);
    const index = this.#host.applied + 1;
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
      this.#publisher.close(this.#terminated());
      return;
    }
    this.#driver.close();
    this.#host.close();
    this.#publisher.detach();
    this.#commands.close();
    this.#handedOver?.();
    this.#rejectCalls(() => this.#terminated(), sent);
    this.#publisher.end(state, problem);
    if (state === 'closed') this.#publisher.close(this.#terminated());
  }

  #rejectCalls(unsent: () => unknown, sent: (call?: PendingCall<O>) => unknown): void {
    this.#calls.rejectAll(unsent, sent);
    this.#queries.rejectAll(unsent);
    this.#requests.rejectAll(sent);
  }

  /** @throws RaftError `terminated`. */
  #assertOpen(): void {
    if (this.#closed) throw this.#terminated();
  }

  #terminated(): RaftError {
    return new RaftError(
      'terminated',
      `the member is ${this.#closed ?? this.#core.state.stopped ?? 'closed'}`,
    );
  }
}

function outputOf<O>({ from, output }: PendingCall<O>): { index: number; output: O } {
  return { index: from, output: output as O };
}

function outputsOf<O>(call: PendingCall<O>): { from: number; to: number; outputs: O[] } {
  return { ...range(call), outputs: call.outputs ?? [call.output as O] };
}

/** Where the commands of a call stand. */
function range({ from, commands }: PendingCall<unknown>): { from: number; to: number } {
  return { from, to: from + commands.length - 1 };
}
