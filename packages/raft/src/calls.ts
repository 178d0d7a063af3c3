import type { RaftEpoch } from '@mosaik/wire';
import { CallWindow } from './call-window.ts';
import type { RefusalReason } from './core/effect.ts';
import { sameEpoch } from './core/epoch.ts';
import type { ProposalBatch } from './core/proposal-batch.ts';
import { RaftError, type ToError } from './errors.ts';
import { type PendingCall, uncertain } from './pending.ts';

/** Calls begun while the oldest one waits. */
const MAX_SPAN = 1 << 20;

/** What is to be handed to the core now. */
export interface Outgoing {
  /** Ask for a session, under this number. */
  readonly open: number | undefined;
  readonly batches: readonly ProposalBatch[];
}

/**
 * The calls of this member from `execute` to their answer.
 *
 * Each gets a number, its sequence in the member's session, and succeeds when the entry of that very sequence is applied
 * here, which happens at most once. So a call whose fate is unknown is sent again, under the same number, until its
 * time is over: at once where a forwarded one had no answer, and to the next leader once the first entry of its epoch is
 * applied, because whatever the leaders before it kept is applied by then. What none of them has does not wait for that.
 */
export class Calls<O> {
  readonly #maxCalls: number;
  readonly #toError: ToError;
  /** Not numbered yet: never sent. */
  #fresh: PendingCall<O>[] = [];
  readonly #window = new CallWindow<PendingCall<O>>();
  #session = 0;
  #hadSession = false;
  /** Number under which a session was asked for. */
  #opening: number | undefined;
  /** It was turned away: not to be asked for again before `wake`. */
  #openLater = false;
  /** The epoch last sent to. */
  #epoch: RaftEpoch | undefined;
  /** Some call in the window is to be sent again: now, or when `wake` says so. */
  #unsent: 'none' | 'later' | 'now' = 'none';

  constructor(maxCalls: number, toError: ToError) {
    this.#maxCalls = maxCalls;
    this.#toError = toError;
  }

  /** Index of the entry that opened this member's session; 0: none. */
  get session(): number {
    return this.#session;
  }

  get size(): number {
    return this.#fresh.length + this.#window.size;
  }

  /** There is something that was never sent. */
  get hasFresh(): boolean {
    return this.#fresh.length > 0;
  }

  /** `take` would give something, once a leader is there. The first session is asked for before there is a call. */
  get due(): boolean {
    if (this.#session === 0 && (this.#opening !== undefined || this.#openLater)) return false;
    return this.hasFresh || this.#unsent === 'now' || !this.#hadSession;
  }

  /** @throws RaftError `overloaded`. */
  add(call: PendingCall<O>): void {
    if (this.size >= this.#maxCalls || this.#window.next - this.#window.base > MAX_SPAN) {
      throw new RaftError('overloaded', `${this.size} calls wait already: nothing was sent`, {
        commands: call.given,
      });
    }
    this.#fresh.push(call);
  }

  /** The caller does not want to wait any longer: with the first error if it was never sent, else with the second. */
  giveUp(call: PendingCall<O>, unsent: () => unknown, sent: () => unknown): void {
    if (call.settled) return;
    const at = this.#fresh.indexOf(call);
    if (at >= 0) this.#fresh.splice(at, 1);
    this.#end(call, at >= 0 ? unsent() : sent());
  }

  /**
   * What is due: for the leader of `epoch`, if its first entry is applied here; else what no leader before it has, as far
   * as is known, for whoever leads next.
   */
  take(epoch: RaftEpoch | undefined): Outgoing {
    if (epoch && !sameEpoch(epoch, this.#epoch)) this.#handleEpoch(epoch);
    if (!this.due) return { open: undefined, batches: [] };
    if (this.#session === 0) {
      this.#opening = this.#window.push(undefined);
      return { open: this.#opening, batches: [] };
    }
    const batches: ProposalBatch[] = [];
    if (this.#unsent !== 'none') {
      this.#unsent = 'none';
      this.#window.forEach((call) => {
        if (call.epoch === undefined) this.#include(batches, call, epoch ?? 'next');
      });
    }
    const fresh = this.#fresh;
    if (fresh.length > 0) this.#fresh = [];
    for (const call of fresh) {
      call.number = this.#window.push(call);
      this.#include(batches, call, epoch ?? 'next');
    }
    return { open: undefined, batches };
  }

  /** What could not be sent so far is to be tried again. */
  wake(): void {
    this.#openLater = false;
    if (this.#unsent === 'later') this.#unsent = 'now';
  }

  /** Nobody leads: what was never sent fails. */
  refuseFresh(reason: RefusalReason): void {
    const fresh = this.#fresh;
    if (fresh.length > 0) this.#fresh = [];
    for (const call of fresh) this.#end(call, refusal(reason, call.given));
  }

  handleAccepted(first: number, count: number, epoch: RaftEpoch, index: number): void {
    // Known only as far as nobody gave up on one: it follows from those before.
    let place: number | undefined = index;
    for (let number = first; number < first + count; number += 1) {
      const call = this.#window.at(number);
      if (!call) {
        place = undefined;
        continue;
      }
      if (call.epoch === 'next') this.#settleEpoch(call, epoch);
      if (place === undefined) continue;
      call.from = place;
      place += call.commands.length;
      // One that was sent before may stand elsewhere: what is applied first will tell.
      if (call.feed && !call.doubtful) this.#resolve(call);
    }
  }

  handleRefused(first: number, count: number, reason: RefusalReason): void {
    this.#eachAnswered(first, count, (call) => {
      if (call.doubtful || reason === 'Moving') this.#sendAgain(call, 'later');
      else this.#end(call, refusal(reason, call.given));
    });
    if (this.#opening !== first) return;
    this.#opening = undefined;
    this.#openLater = true;
    if (reason !== 'Moving') this.refuseFresh(reason);
  }

  handleUncertain(first: number, count: number): void {
    this.#eachAnswered(first, count, (call) => {
      call.doubtful = true;
      this.#sendAgain(call, 'now');
    });
    if (this.#opening === first) this.#opening = undefined;
  }

  /** The session that the table has for this life of the member, or 0: what was sent in another is not applied any more. */
  handleSession(session: number): void {
    if (session === this.#session) return;
    if (this.#session !== 0) this.#window.forEach((call) => void this.#doubt(call));
    this.#session = session;
    this.#hadSession = true;
    this.#opening = undefined;
  }

  /** A command of this member's session was applied; `more` of its run follow. */
  handleApplied(number: number, index: number, output: O, more: boolean): void {
    const call = this.#window.at(number);
    if (!call) return;
    const { outputs } = call;
    if (!outputs || outputs.length === 0) call.from = index;
    if (outputs) outputs.push(output);
    else call.output = output;
    if (!more) this.#resolve(call);
  }

  /** A command of this member's session was not applied, because another one with its key had been. */
  handleRejected(number: number, error: RaftError): void {
    const call = this.#window.at(number);
    if (call) this.#end(call, error);
  }

  /** The side of this member gave way to another: what it sent may be there or not. */
  handleReverted(): void {
    this.#window.forEach(
      (call) => void this.#end(call, uncertain('its side of the group gave way to another')),
    );
  }

  /**
   * The state of this member was replaced by one that holds more: what was applied meanwhile was not seen.
   * `wasApplied` says which sequences the session that it has now holds.
   */
  handleReplaced(session: number, wasApplied: (sequence: number) => boolean): void {
    const lost = session !== this.#session;
    this.#window.forEach((call) => {
      if (lost || wasApplied(call.number))
        this.#end(call, uncertain('its output went by in a transfer of state'));
    });
    this.handleSession(session);
  }

  /** Rejects calls whose time is over. */
  expire(nowMs: number): void {
    if (this.#fresh.some((call) => call.deadlineMs <= nowMs)) {
      const fresh = this.#fresh;
      this.#fresh = [];
      for (const call of fresh) {
        if (call.deadlineMs > nowMs) this.#fresh.push(call);
        else this.#end(call, refusal('Offline', call.given));
      }
    }
    this.#window.forEach((call) => {
      if (call.deadlineMs <= nowMs) this.#end(call, uncertain('no answer in time'));
    });
  }

  rejectAll(unsent: (call: PendingCall<O>) => unknown, sent: (call: PendingCall<O>) => unknown): void {
    const fresh = this.#fresh;
    this.#fresh = [];
    for (const call of fresh) this.#end(call, unsent(call));
    this.#window.forEach((call) => void this.#end(call, sent(call)));
  }

  /** Whatever has no answer from the leader before is to be sent to this one. */
  #handleEpoch(epoch: RaftEpoch): void {
    this.#epoch = epoch;
    this.#opening = undefined;
    this.#openLater = false;
    this.#window.forEach((call) => {
      // What was sent without waiting for this epoch is its leader's already, or will be answered.
      if (call.epoch !== 'next' && !sameEpoch(call.epoch, epoch)) this.#doubt(call);
    });
  }

  /** A leader has what was sent before it was known; if another one leads by now, that one may have it not. */
  #settleEpoch(call: PendingCall<O>, epoch: RaftEpoch): void {
    call.epoch = epoch;
    if (this.#epoch && this.#epoch.term > epoch.term) this.#doubt(call);
  }

  #doubt(call: PendingCall<O>): void {
    if (call.epoch !== undefined) call.doubtful = true;
    this.#sendAgain(call, 'now');
  }

  #sendAgain(call: PendingCall<O>, when: 'later' | 'now'): void {
    call.epoch = undefined;
    if (this.#unsent !== 'now') this.#unsent = when;
  }

  /** Numbers that follow each other share a batch. */
  #include(batches: ProposalBatch[], call: PendingCall<O>, epoch: RaftEpoch | 'next'): void {
    let batch = batches.at(-1);
    if (!batch || batch.first + batch.proposals.length !== call.number) {
      batch = {
        session: this.#session,
        first: call.number,
        ackedBelow: this.#window.base,
        keys: [],
        proposals: [],
      };
      batches.push(batch);
    }
    if (call.key !== undefined) batch.keys.push({ at: batch.proposals.length, key: call.key });
    batch.proposals.push(call.commands);
    call.epoch = epoch;
  }

  #eachAnswered(first: number, count: number, handle: (call: PendingCall<O>) => void): void {
    for (let number = first; number < first + count; number += 1) {
      const call = this.#window.at(number);
      if (call) handle(call);
    }
  }

  #resolve(call: PendingCall<O>): void {
    this.#window.delete(call.number);
    call.settled = true;
    call.resolve(call.answer(call));
  }

  #end(call: PendingCall<O>, error: unknown): void {
    if (call.number > 0) this.#window.delete(call.number);
    call.settled = true;
    call.reject(this.#toError(error, call.given));
  }
}

const REFUSALS = {
  Offline: ['offline', 'no leader took it: nothing was appended'],
  NoQuorum: ['no-quorum', 'the leader does not reach a majority: nothing was appended'],
  Overloaded: ['overloaded', 'too much waits to be committed: nothing was appended'],
  TooLarge: ['too-large', 'the leader refuses commands of this size: nothing was appended'],
  Moving: ['offline', 'leadership is being handed over: nothing was appended'],
  ChangeInProgress: ['change-in-progress', 'the set can not be changed before its last change is committed'],
  NotAVoter: ['not-a-voter', 'that member is not in the set, or cannot be chosen'],
  NotElected: ['timeout', 'the member that was to take over was not elected in time'],
} as const;

export function refusal(reason: RefusalReason, commands?: readonly unknown[]): RaftError {
  const [code, message] = REFUSALS[reason];
  return new RaftError(code, message, code === 'offline' ? { commands } : {});
}
