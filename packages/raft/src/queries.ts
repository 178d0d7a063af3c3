import type { Clock } from '@mosaik/wire/runtime';
import type { QueryOptions } from './call-options.ts';
import { refusal } from './calls.ts';
import type { RefusalReason } from './core/effect.ts';
import { RaftError } from './errors.ts';

/** Queries without an answer. */
const MAX_QUERIES = 1 << 16;

interface PendingQuery<Q, R> {
  readonly query: Q;
  minIndex: number;
  readonly resolve: (answer: { result: R; index: number }) => void;
  readonly reject: (error: unknown) => void;
  settled: boolean;
}

export interface QueriesInit<Q, R> {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly run: (query: Q) => R;
  readonly applied: () => number;
  /** Something waits to be taken. */
  readonly changed: () => void;
}

/** Queries of this member: weak ones answered at once, strong ones after their read round, all after `minIndex`. */
export class Queries<Q, R> {
  readonly #init: QueriesInit<Q, R>;
  #collected: PendingQuery<Q, R>[] = [];
  /** With the core, by number. */
  readonly #asked = new Map<number, PendingQuery<Q, R>>();
  /** Confirmed (or weak), waiting for an index. */
  #waiting: PendingQuery<Q, R>[] = [];
  #nextId = 1;

  constructor(init: QueriesInit<Q, R>) {
    this.#init = init;
  }

  ask(
    query: Q,
    { consistency, minIndex = 0, signal, timeoutMs }: QueryOptions,
  ): Promise<{ result: R; index: number }> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      if (consistency === 'weak' && minIndex <= this.#init.applied()) {
        resolve({ result: this.#init.run(query), index: this.#init.applied() });
        return;
      }
      if (this.#collected.length + this.#asked.size + this.#waiting.length >= MAX_QUERIES)
        throw new RaftError('overloaded', `${MAX_QUERIES} queries wait already`);
      const abort = () => this.#reject(pending, signal?.reason);
      const timer = this.#init.clock.schedule(timeoutMs ?? this.#init.timeoutMs, () =>
        this.#reject(pending, new RaftError('timeout', 'the query was not answered in time')),
      );
      const finish = () => {
        timer.cancel();
        signal?.removeEventListener('abort', abort);
      };
      const pending: PendingQuery<Q, R> = {
        query,
        minIndex,
        resolve: (answer) => {
          finish();
          resolve(answer);
        },
        reject: (error) => {
          finish();
          reject(error);
        },
        settled: false,
      };
      signal?.addEventListener('abort', abort);
      if (consistency === 'weak') {
        this.#waiting.push(pending);
        return;
      }
      this.#collected.push(pending);
      this.#init.changed();
    });
  }

  /** Strong queries since the last call, numbered, for the core. */
  take(): { first: number; count: number } | undefined {
    const collected = this.#collected.filter((pending) => !pending.settled);
    this.#collected = [];
    if (collected.length === 0) return undefined;
    const first = this.#nextId;
    for (const pending of collected) this.#asked.set(this.#nextId++, pending);
    return { first, count: collected.length };
  }

  /** Confirmed: they see everything up to `index`, applied yet or not. */
  handleReady(first: number, count: number, index: number): void {
    for (const pending of this.#take(first, count)) {
      pending.minIndex = Math.max(pending.minIndex, index);
      if (pending.minIndex <= this.#init.applied()) this.#answer(pending);
      else this.#waiting.push(pending);
    }
  }

  handleRefused(first: number, count: number, reason: RefusalReason): void {
    for (const pending of this.#take(first, count)) this.#reject(pending, refusal(reason));
  }

  handleApplied(): void {
    if (this.#waiting.length === 0) return;
    const applied = this.#init.applied();
    const ready = this.#waiting.filter((pending) => pending.minIndex <= applied);
    this.#waiting = this.#waiting.filter((pending) => pending.minIndex > applied && !pending.settled);
    for (const pending of ready) this.#answer(pending);
  }

  rejectAll(error: () => unknown): void {
    const all = [...this.#collected, ...this.#asked.values(), ...this.#waiting];
    this.#collected = [];
    this.#asked.clear();
    this.#waiting = [];
    for (const pending of all) this.#reject(pending, error());
  }

  #take(first: number, count: number): PendingQuery<Q, R>[] {
    const taken: PendingQuery<Q, R>[] = [];
    for (let id = first; id < first + count; id += 1) {
      const pending = this.#asked.get(id);
      this.#asked.delete(id);
      if (pending) taken.push(pending);
    }
    return taken;
  }

  #answer(pending: PendingQuery<Q, R>): void {
    if (pending.settled) return;
    pending.settled = true;
    try {
      pending.resolve({ result: this.#init.run(pending.query), index: this.#init.applied() });
    } catch (error) {
      pending.reject(error);
    }
  }

  #reject(pending: PendingQuery<Q, R>, error: unknown): void {
    if (pending.settled) return;
    pending.settled = true;
    pending.reject(error);
  }
}
