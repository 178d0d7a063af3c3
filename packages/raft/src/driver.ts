import { type PeerId, RaftMessage } from '@mosaik/wire';
import type { Timer } from '@mosaik/wire/runtime';
import type { Lane, RaftComponents } from './components.ts';
import type { Effect } from './core/effect.ts';
import type { Input } from './core/input.ts';
import type { RaftCore } from './core/raft-core.ts';
import type { LogStorage } from './storage/log-storage.ts';

/** Largest message for the control lane; a larger one goes with the bulk. */
const MAX_CONTROL_BYTES = 60 * 1024;
/**
 * Turns of the microtask queue between what is not a message and the flush: continuations of calls that an answer just
 * resolved get their chance to write first, so that their commands travel with the commit that woke them.
 */
const FLUSH_HOPS = 6;
/** A turn of the microtask queue by a promise: Node's `queueMicrotask` makes an async resource for each. */
const SETTLED = Promise.resolve();

/** Effects that the driver leaves to the node: what concerns the machine and its callers. */
export type NodeEffect = Exclude<Effect, { type: 'persist' | 'send' | 'log' | 'count' | 'turn-again' }>;

export interface DriverInit {
  readonly core: RaftCore;
  readonly storage: LogStorage;
  readonly components: RaftComponents;
  readonly labels: Readonly<Record<string, string>>;
  /** Before the core's turn ends: gives what callers asked for since the last one. */
  readonly collect: () => void;
  readonly handleEffect: (effect: NodeEffect) => void;
  /** After a turn. */
  readonly handleTurn: () => void;
  /** Our own bug, or storage that failed: the node must stop. */
  readonly handleFailure: (error: unknown) => void;
}

/** Runs a core: inputs from outside, effects to the bonds and the store, time from the clock. One turn per microtask. */
export class Driver {
  readonly #init: DriverInit;
  #scheduled = false;
  /** Left until the flush that is scheduled. */
  #hops = 0;
  #closed = false;
  /** An effect of this turn gave the core something to handle, so the turn is not over. */
  #answered = false;
  #turning = false;
  #timer: Timer | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #encoded: { message: RaftMessage; bytes: Uint8Array } | undefined;

  constructor(init: DriverInit) {
    this.#init = init;
    this.schedule();
  }

  handle(input: Input): void {
    if (this.#closed) return;
    this.#init.core.handle(input, this.#init.components.clock.nowMs());
    // Messages that came together were handled in one go: there is nothing more to wait for.
    this.#schedule(input.type === 'message' ? 1 : FLUSH_HOPS);
  }

  /** Ends the turn soon. */
  schedule(): void {
    this.#schedule(FLUSH_HOPS);
  }

  /** Since anything was handled or a turn ended. */
  get idleMs(): number {
    return this.#init.components.clock.nowMs() - this.#init.core.state.lastTurnMs;
  }

  /** A turn at once, not soon; nothing inside of one. */
  turnNow(): void {
    if (this.#turning) return;
    this.handle({ type: 'tick' });
    this.#flush();
  }

  /** The member failed: the others are told, and nothing else is done any more. */
  stop(problem: string): void {
    if (this.#closed) return;
    const { core, components } = this.#init;
    const nowMs = components.clock.nowMs();
    try {
      core.handle({ type: 'failed', problem }, nowMs);
      for (const effect of core.drain(nowMs))
        if (effect.type === 'send' && effect.message.body.type === 'Status')
          this.#send(effect.to, effect.message, effect.lane);
    } catch (error) {
      // It is what failed.
      components.logger.warn({ ...this.#init.labels, error }, 'the others could not be told');
    }
    this.close();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #schedule(hops: number): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    this.#hops = hops;
    void SETTLED.then(this.#hop);
  }

  readonly #hop = (): void => {
    this.#hops -= 1;
    if (this.#hops > 0) void SETTLED.then(this.#hop);
    else this.#flush();
  };

  readonly #flush = (): void => {
    this.#scheduled = false;
    if (this.#closed) return;
    this.#turning = true;
    try {
      this.#init.collect();
      this.#turn();
    } catch (error) {
      this.#init.handleFailure(error);
    } finally {
      this.#turning = false;
    }
  };

  #turn(): void {
    const { core, components } = this.#init;
    for (let continued = false; ; continued = true) {
      this.#answered = false;
      const effects = core.drain(components.clock.nowMs(), continued);
      if (effects.length === 0) break;
      // What goes out first goes out at once; applying may take its time.
      for (const effect of effects) this.#sendOut(effect);
      for (const effect of effects) {
        if (isNodeEffect(effect)) this.#init.handleEffect(effect);
      }
      if (this.#closed) return;
      if (!this.#answered) break;
    }
    this.#encoded = undefined;
    this.#init.handleTurn();
    this.#setTimer();
  }

  #sendOut(effect: Effect): void {
    const { components, labels } = this.#init;
    switch (effect.type) {
      case 'persist':
        this.#persist(effect);
        return;
      case 'send':
        this.#send(effect.to, effect.message, effect.lane);
        return;
      case 'log':
        components.logger[effect.level]({ ...labels, ...effect.fields }, effect.text);
        return;
      case 'count':
        components.metrics.count(effect.name, labels);
        return;
      case 'turn-again':
        this.schedule();
    }
  }

  #persist({ seq, write }: Extract<Effect, { type: 'persist' }>): void {
    const done = this.#init.storage.write(write);
    if (this.#init.storage.durableAtOnce) return;
    const persisted = { type: 'persisted', seq } as const;
    if (done === undefined) {
      this.#answered = true;
      this.#init.core.handle(persisted, this.#init.components.clock.nowMs());
      return;
    }
    done.then(
      () => this.handle(persisted),
      (error: unknown) => this.#init.handleFailure(error),
    );
  }

  #send(to: PeerId, message: RaftMessage, lane: Lane): void {
    if (this.#encoded?.message !== message) {
      this.#encoded = { message, bytes: RaftMessage.encode(message) };
    }
    const { bytes } = this.#encoded;
    const sent = this.#init.components.send(to, bytes, bytes.length > MAX_CONTROL_BYTES ? 'bulk' : lane);
    if (sent) return;
    this.#answered = true;
    this.#init.core.handle({ type: 'unsent', to, lane }, this.#init.components.clock.nowMs());
  }

  /** Moves the timer only forward in time: one that fires early finds nothing due and is set again. */
  #setTimer(): void {
    const { core, components } = this.#init;
    const dueMs = core.nextDeadlineMs();
    if (dueMs === undefined || dueMs >= this.#timerAtMs) return;
    this.#timer?.cancel();
    this.#timerAtMs = dueMs;
    this.#timer = components.clock.schedule(dueMs - components.clock.nowMs(), () => {
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      this.handle({ type: 'tick' });
    });
  }
}

function isNodeEffect(effect: Effect): effect is NodeEffect {
  switch (effect.type) {
    case 'persist':
    case 'send':
    case 'log':
    case 'count':
    case 'turn-again':
      return false;
    default:
      return true;
  }
}
