import type { RaftEpoch } from '@mosaik/wire';
import type { RefusalReason } from './core/effect.ts';
import { sameEpoch } from './core/epoch.ts';
import { RaftError } from './errors.ts';
import { Fifo, type PendingCall, uncertain } from './pending.ts';

/** Applied outputs kept while a forwarded call has no answer: its entry may be applied first. */
const MAX_KEPT_OUTPUTS = 16_384;

/**
 * The calls of this member from `execute` to their answer.
 *
 * A call is first collected, then with the core (which numbers and answers calls in order), then waits for its entries
 * to be applied here. It succeeds only when an entry of the very epoch and index that it was given is applied.
 */
export class Calls<O> {
  readonly #epochAt: (index: number) => RaftEpoch | undefined;
  readonly #maxCalls: number;
  #collected: PendingCall<O>[] = [];
  /** With the core, by rising number. */
  readonly #unanswered = new Fifo<PendingCall<O>>();
  /** In the log, by rising index. */
  readonly #waiting = new Fifo<PendingCall<O>>();
  #nextId = 1;
  #applied = 0;
  #kept: { index: number; output: O }[] = [];

  constructor(epochAt: (index: number) => RaftEpoch | undefined, maxCalls: number) {
    this.#epochAt = epochAt;
    this.#maxCalls = maxCalls;
  }

  get size(): number {
    return this.#collected.length + this.#unanswered.size + this.#waiting.size;
  }

  /** @throws RaftError `overloaded`. */
  add(call: Omit<PendingCall<O>, 'id' | 'settled' | 'from' | 'to' | 'epoch' | 'outputs'>): PendingCall<O> {
    if (this.size >= this.#maxCalls) {
      throw new RaftError('overloaded', `${this.#maxCalls} calls wait already: nothing was sent`, {
        commands: call.given,
      });
    }
    const pending: PendingCall<O> = {
      id: 0,
      commands: call.commands,
      given: call.given,
      feed: call.feed,
      deadlineMs: call.deadlineMs,
      settled: false,
      from: 0,
      to: 0,
      epoch: undefined,
      outputs: [],
      resolve: call.resolve,
      reject: call.reject,
    };
    this.#collected.push(pending);
    return pending;
  }

  /** Whether a call has not left this member: giving it up commits nothing. */
  withdraw(call: PendingCall<O>): boolean {
    const at = this.#collected.indexOf(call);
    if (at >= 0) this.#collected.splice(at, 1);
    return at >= 0;
  }

  /** What was collected, numbered, for the core. */
  take(): { first: number; proposals: Uint8Array[][] } | undefined {
    if (this.#collected.length === 0) return undefined;
    const first = this.#nextId;
    const proposals: Uint8Array[][] = [];
    for (const call of this.#collected) {
      call.id = this.#nextId++;
      this.#unanswered.push(call);
      proposals.push(call.commands);
    }
    this.#collected = [];
    return { first, proposals };
  }

  handleAccepted(first: number, count: number, epoch: RaftEpoch, index: number): void {
    let next = index;
    this.#answer(first, count, (call) => {
      call.from = next;
      call.to = next + call.commands.length - 1;
      call.epoch = epoch;
      next = call.to + 1;
      if (call.feed) this.#settle(call, true);
      else this.#await(call);
    });
  }

  handleRefused(first: number, count: number, reason: RefusalReason): void {
    this.#answer(first, count, (call) => {
      if (!call.settled) call.reject(refusal(reason, call.given));
      call.settled = true;
    });
  }

  handleUncertain(first: number, count: number): void {
    this.#answer(first, count, (call) => this.#fail(call, uncertain('the leader did not answer')));
  }

  /** One command was applied; `output` is the call's whose entry it is, if any. */
  handleApplied(index: number, output: O): void {
    this.#applied = index;
    if (this.#unanswered.size > 0 && this.#kept.length < MAX_KEPT_OUTPUTS) this.#kept.push({ index, output });
    let call = this.#waiting.peek();
    while (call && call.to < index) {
      this.#waiting.shift();
      this.#fail(call, uncertain('another entry took the place of the command'));
      call = this.#waiting.peek();
    }
    if (!call || call.from > index) return;
    if (index === call.from && !sameEpoch(this.#epochAt(index), call.epoch)) {
      this.#waiting.shift();
      this.#fail(call, uncertain('another leader took over before it was committed'));
      return;
    }
    call.outputs.push(output);
    if (index < call.to) return;
    this.#waiting.shift();
    this.#settle(call, call.outputs.length === call.commands.length);
  }

  /** After a batch was applied up to `index`, commands or not. */
  handleAppliedTo(index: number): void {
    this.#applied = index;
    for (let call = this.#waiting.peek(); call && call.to <= index; call = this.#waiting.peek()) {
      this.#waiting.shift();
      this.#fail(call, uncertain('another entry took the place of the command'));
    }
    if (this.#unanswered.size === 0 && this.#kept.length > 0) this.#kept = [];
  }

  /** Entries above `to` were given up: whoever waits for one of them has no answer. */
  handleReverted(to: number): void {
    this.#applied = Math.min(this.#applied, to);
    this.#kept = [];
    for (let call = this.#waiting.last(); call && call.to > to; call = this.#waiting.last()) {
      this.#waiting.pop();
      this.#fail(call, uncertain('its side of the group gave way to another'));
    }
  }

  /** Rejects calls whose time is over. They are in order of time, but for what a caller set itself. */
  expire(nowMs: number): void {
    for (const queue of [this.#unanswered, this.#waiting]) {
      for (let call = queue.peek(); call && (call.settled || call.deadlineMs <= nowMs); call = queue.peek()) {
        this.#fail(call, uncertain('no answer in time'));
        // A call that the core still has keeps its place: its answer is yet to come.
        if (queue === this.#unanswered) break;
        queue.shift();
      }
    }
  }

  rejectAll(unsent: (call: PendingCall<O>) => unknown, sent: () => unknown): void {
    for (const call of this.#collected) {
      if (!call.settled) call.reject(unsent(call));
      call.settled = true;
    }
    this.#collected = [];
    for (const call of [...this.#unanswered.drain(), ...this.#waiting.drain()]) this.#fail(call, sent());
  }

  /** Hands out answers in the order of the numbers, whatever order they come in. */
  #answer(first: number, count: number, give: (call: PendingCall<O>) => void): void {
    for (let id = first; id < first + count; id += 1) {
      const head = this.#unanswered.peek();
      if (head?.id === id) {
        this.#unanswered.shift();
        give(head);
        continue;
      }
      // Rare: a part was refused before an older one was answered.
      const rest = this.#unanswered.drain();
      for (const call of rest) {
        if (call.id === id) give(call);
        else this.#unanswered.push(call);
      }
    }
  }

  #await(call: PendingCall<O>): void {
    if (call.from <= this.#applied) {
      this.#resolveLate(call);
      return;
    }
    // A leader with a shorter log gives lower places: what waited there will not be applied under the old ones.
    for (let last = this.#waiting.last(); last && last.to >= call.from; last = this.#waiting.last()) {
      this.#waiting.pop();
      this.#fail(last, uncertain('another leader took over before it was committed'));
    }
    this.#waiting.push(call);
  }

  /** Its entries were applied before the leader's answer came: the outputs were kept. */
  #resolveLate(call: PendingCall<O>): void {
    if (sameEpoch(this.#epochAt(call.from), call.epoch)) {
      for (const { index, output } of this.#kept) {
        if (index >= call.from && index <= call.to) call.outputs.push(output);
      }
      if (call.to > this.#applied && call.outputs.length > 0) {
        this.#waiting.push(call);
        return;
      }
    }
    this.#settle(call, call.outputs.length === call.commands.length);
  }

  #settle(call: PendingCall<O>, ok: boolean): void {
    if (!ok) this.#fail(call, uncertain('its answer was lost'));
    else if (!call.settled) call.resolve(call);
    call.settled = true;
  }

  #fail(call: PendingCall<O>, error: unknown): void {
    if (!call.settled) call.reject(error);
    call.settled = true;
  }
}

const REFUSALS = {
  Offline: ['offline', 'no leader took it: nothing was appended'],
  NoQuorum: ['no-quorum', 'the leader does not reach a majority: nothing was appended'],
  Overloaded: ['overloaded', 'too much waits to be committed: nothing was appended'],
  TooLarge: ['too-large', 'the leader refuses commands of this size: nothing was appended'],
  Moving: ['offline', 'leadership is being handed over: nothing was appended'],
  ChangeInProgress: ['change-in-progress', 'the set can not be changed before its last change is committed'],
  NotAVoter: ['not-a-voter', 'this member is not in the set, or cannot be chosen'],
  NotElected: ['timeout', 'the member that was to take over was not elected in time'],
} as const;

export function refusal(reason: RefusalReason, commands?: readonly unknown[]): RaftError {
  const [code, message] = REFUSALS[reason];
  return new RaftError(code, message, code === 'offline' ? { commands } : {});
}
