import type { Clock, Logger, Timer } from '@mosaik/wire/runtime';
import type { QuicConnection } from './connection.ts';

export interface TurnsInit {
  clock: Clock;
  logger: Logger;
  /** All that may have a deadline. */
  connections: Iterable<QuicConnection>;
}

/** When the connections of an endpoint act: at the end of a turn of the event loop, and at their deadlines. */
export class Turns {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #connections: Iterable<QuicConnection>;
  #turn: QuicConnection[] = [];
  #timer: Timer | undefined;
  #timerDueMs = Number.POSITIVE_INFINITY;

  constructor(init: TurnsInit) {
    this.#clock = init.clock;
    this.#logger = init.logger;
    this.#connections = init.connections;
  }

  /** Gives the connection a turn at the end of this turn of the loop. */
  schedule(connection: QuicConnection): void {
    if (connection.scheduled) return;
    connection.scheduled = true;
    // After the loop's polling phase: everything that arrives, and what the application answers, is in.
    if (this.#turn.push(connection) === 1) setImmediate(this.#runTurn);
  }

  /** A connection must hear of the time then; never, when it is infinite. */
  handleDeadline(deadlineMs: number): void {
    if (deadlineMs >= this.#timerDueMs) return;
    this.#timer?.cancel();
    this.#timerDueMs = deadlineMs;
    const delayMs = deadlineMs - this.#clock.nowMs();
    this.#timer = this.#clock.schedule(delayMs, this.#handleDue);
  }

  /** Whatever the library throws ends one connection, never the process. */
  drive(connection: QuicConnection, step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#logger.error(
        { remoteAddress: connection.remoteAddress, error: String(error) },
        'the QUIC library failed',
      );
      connection.handleFailure(`the QUIC library failed: ${String(error)}`);
    }
  }

  stop(): void {
    this.#timer?.cancel();
  }

  readonly #runTurn = (): void => {
    const turn = this.#turn;
    this.#turn = [];
    const nowMs = this.#clock.nowMs();
    for (const connection of turn) {
      connection.scheduled = false;
      this.drive(connection, () => connection.handleTurn(nowMs));
    }
  };

  /** Most timers guard what has been acknowledged since: those end here. */
  readonly #handleDue = (): void => {
    this.#timerDueMs = Number.POSITIVE_INFINITY;
    const nextMs = this.#nextDeadlineMs();
    // After the polling phase: a loop that stalled first reads what arrived meanwhile, then looks who is late.
    if (nextMs <= this.#clock.nowMs()) setImmediate(this.#runTimers);
    else this.handleDeadline(nextMs);
  };

  #nextDeadlineMs(): number {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const { deadlineMs } of this.#connections) nextMs = Math.min(nextMs, deadlineMs);
    return nextMs;
  }

  readonly #runTimers = (): void => {
    const nowMs = this.#clock.nowMs();
    for (const connection of this.#connections) {
      if (connection.deadlineMs <= nowMs) this.drive(connection, () => connection.handleTimer(nowMs));
    }
    this.handleDeadline(this.#nextDeadlineMs());
  };
}
