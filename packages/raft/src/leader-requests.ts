import type { RaftRequest } from '@mosaik/wire';
import type { Clock, Watch } from '@mosaik/wire/runtime';
import type { CallOptions } from './call-options.ts';
import { refusal } from './calls.ts';
import type { RefusalReason } from './core/effect.ts';
import type { Input } from './core/input.ts';
import { RaftError } from './errors.ts';

interface PendingRequest {
  resolve(): void;
  reject(error: unknown): void;
}

const MAX_PENDING = 64;

/** What this member asked of the leader beside commands and reads, and was not answered yet. */
export class LeaderRequests {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #handle: (input: Input) => void;
  readonly #pending = new Map<number, PendingRequest>();
  #nextId = 1;

  constructor(clock: Clock, timeoutMs: number, handle: (input: Input) => void) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#handle = handle;
  }

  /** Rejects with RaftError; `unknown-outcome` when it was sent and not answered in time. */
  ask(what: RaftRequest, { signal, timeoutMs }: CallOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      if (this.#pending.size >= MAX_PENDING)
        throw new RaftError('overloaded', `${MAX_PENDING} requests to the leader wait already`);
      const request = this.#nextId++;
      const finish = () => {
        this.#pending.delete(request);
        timer.cancel();
        signal?.removeEventListener('abort', abort);
      };
      const pending: PendingRequest = {
        resolve: () => {
          finish();
          resolve();
        },
        reject: (error) => {
          finish();
          reject(error);
        },
      };
      const abort = () => pending.reject(unanswered('aborted after it was sent'));
      const timer = this.#clock.schedule(timeoutMs ?? this.#timeoutMs, () =>
        pending.reject(unanswered('no answer in time')),
      );
      signal?.addEventListener('abort', abort);
      this.#pending.set(request, pending);
      this.#handle({ type: 'request', request, what });
    });
  }

  /** Waits until this member's own log shows what was asked for. */
  async until<T>(
    status: Watch<T>,
    condition: (value: T) => boolean,
    { signal, deadlineMs }: { signal: AbortSignal | undefined; deadlineMs: number },
  ): Promise<void> {
    const late = new AbortController();
    const timer = this.#clock.schedule(Math.max(0, deadlineMs - this.#clock.nowMs()), () => late.abort());
    try {
      const signals = signal ? [signal, late.signal] : [late.signal];
      while (!condition(status.value)) await status.changed({ signal: AbortSignal.any(signals) });
    } catch (error) {
      throw error instanceof RaftError ? error : unanswered('not seen in time');
    } finally {
      timer.cancel();
    }
  }

  handleDone(request: number): void {
    this.#pending.get(request)?.resolve();
  }

  handleRefused(request: number, reason: RefusalReason): void {
    this.#pending.get(request)?.reject(refusal(reason));
  }

  handleUnknown(request: number): void {
    this.#pending.get(request)?.reject(unanswered('the leader did not answer'));
  }

  rejectAll(error: () => unknown): void {
    for (const pending of [...this.#pending.values()]) pending.reject(error());
  }
}

function unanswered(why: string): RaftError {
  return new RaftError('unknown-outcome', `${why}: it may still be done`);
}
