import { CloseCode, type PeerId } from '@mosaik/wire';
import type { Clock, Timer } from '@mosaik/wire/runtime';
import type { Admission, Admit, HandshakeChannel } from './channel.ts';
import type { HandshakeEffect, HandshakeInput, HandshakeMachine, HandshakeResult } from './core/machine.ts';
import { HandshakeError } from './errors.ts';

export interface HandshakeRun {
  core: HandshakeMachine;
  channel: HandshakeChannel;
  remoteId: PeerId;
  admit: Admit | undefined;
  clock: Clock;
  signal: AbortSignal | undefined;
}

/** Executes one core's effects on a channel until it is done or failed. */
export function runHandshake(run: HandshakeRun): Promise<HandshakeResult> {
  return new Promise((resolve, reject) => new Driver(run, resolve, reject).begin());
}

class Driver {
  readonly #run: HandshakeRun;
  readonly #resolve: (result: HandshakeResult) => void;
  readonly #reject: (error: unknown) => void;
  /** Ends whatever waits on this handshake: a receive, a ticket's validation. */
  readonly #over = new AbortController();
  #timer: Timer | undefined;

  constructor(
    run: HandshakeRun,
    resolve: (result: HandshakeResult) => void,
    reject: (error: unknown) => void,
  ) {
    this.#run = run;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  begin(): void {
    const { signal } = this.#run;
    if (signal?.aborted) {
      this.#handle({ type: 'aborted', cause: signal.reason });
      return;
    }
    signal?.addEventListener('abort', this.#onAbort);
    this.#handle({ type: 'begin' });
    this.#arm();
  }

  #arm(): void {
    const { core, clock } = this.#run;
    const deadlineMs = core.nextDeadlineMs();
    if (deadlineMs === undefined) return;
    this.#timer = clock.schedule(deadlineMs - clock.nowMs(), () => {
      this.#handle({ type: 'tick' });
      // The host's timers count whole milliseconds and may fire a fraction early: then the tick changed nothing.
      this.#arm();
    });
  }

  readonly #onAbort = () => this.#handle({ type: 'aborted', cause: this.#run.signal?.reason });

  #handle(input: HandshakeInput): void {
    if (this.#over.signal.aborted) return;
    const { core, clock } = this.#run;
    try {
      core.handle(input, clock.nowMs());
    } catch (error) {
      // A caller's own function (a session secret, a bonds list) threw: nothing that the peer is to blame for.
      this.#finish();
      this.#close(CloseCode.UnexpectedClose, 'internal error');
      this.#reject(error);
      return;
    }
    for (const effect of core.drain()) this.#execute(effect);
  }

  #execute(effect: HandshakeEffect): void {
    const { channel } = this.#run;
    const signal = this.#over.signal;
    switch (effect.type) {
      case 'send':
        this.#await(
          () => channel.send(effect.frame),
          () => ({ type: 'sent' }),
          ended,
        );
        break;
      case 'receive':
        this.#await(
          () => channel.receive({ signal }),
          (frame) => (frame ? { type: 'received', frame } : ended(undefined)),
          ended,
        );
        break;
      case 'admit':
        this.#await(
          () => this.#admit(effect),
          (admission) => ({ type: 'decided', admission }),
          undecided,
        );
        break;
      case 'done':
        this.#finish();
        this.#resolve(effect.result);
        break;
      case 'fail': {
        this.#finish();
        this.#close(effect.closeCode, effect.reason);
        const { code, reason, closeCode, remote, cause } = effect;
        this.#reject(new HandshakeError(code, `${reason} (${closeCode})`, { closeCode, remote, cause }));
        break;
      }
    }
  }

  #admit(effect: { groupId: HandshakeResult['groupId']; incarnation: bigint }): Promise<Admission> {
    const { admit, remoteId } = this.#run;
    if (!admit) return Promise.resolve({ ok: true });
    const { groupId, incarnation } = effect;
    return admit({ remoteId, groupId, incarnation, signal: this.#over.signal });
  }

  #await<T>(
    start: () => Promise<T>,
    success: (value: T) => HandshakeInput,
    failure: (error: unknown) => HandshakeInput,
  ): void {
    // Inside `then`, so that a throw of the channel's or the caller's function is a rejection like any other.
    Promise.resolve()
      .then(start)
      .then(success, failure)
      .then((input) => this.#handle(input))
      .catch(this.#reject);
  }

  #close(code: number, reason: string): void {
    // Not waited for: a channel that cannot close must not hold up the caller beyond the deadline.
    try {
      this.#run.channel.close(code, reason).catch(() => {});
    } catch {
      // The channel is unusable, which is what was wanted.
    }
  }

  #finish(): void {
    this.#timer?.cancel();
    this.#run.signal?.removeEventListener('abort', this.#onAbort);
    this.#over.abort();
  }
}

function ended(cause: unknown): HandshakeInput {
  const closeCode = (cause as { closeCode?: unknown } | undefined)?.closeCode;
  return { type: 'ended', closeCode: typeof closeCode === 'number' ? closeCode : undefined, cause };
}

/** Fail closed: who cannot be judged is not admitted. */
function undecided(cause: unknown): HandshakeInput {
  const admission = { closeCode: CloseCode.NotAllowed, reason: 'admission could not be decided' };
  return { type: 'decided', admission, cause };
}
