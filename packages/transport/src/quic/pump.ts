import type { HostPort } from '../shared/address.ts';
import { type BusyPoll, createAnswerWatch } from '../shared/busy-poll.ts';
import { Bursts } from './bursts.ts';
import type { QuicConnection } from './connection.ts';
import type { NativeConnection } from './native.ts';
import type { Sender } from './sender.ts';
import { Streams } from './streams.ts';
import type { Turns } from './turns.ts';

/** Datagrams sent in one turn, so that one connection does not starve the others or its own acknowledgements. */
const MAX_SENT_PER_TURN = 128;
const SETTLED = Promise.resolve();

export interface PumpInit {
  connection: QuicConnection;
  native: NativeConnection;
  remote: HostPort;
  turns: Turns;
  sender: Sender;
  busyPoll: BusyPoll;
  initiator: boolean;
  maxFrameBytes: number;
  /** Streams may have bytes. */
  onReadable: () => void;
  /** The peer broke the protocol. */
  onViolation: (reason: string) => void;
}

/** Moves what arrives to the links of a connection, and what they write to the network. */
export class Pump {
  readonly streams: Streams;
  readonly #init: PumpInit;
  /** Until the connection is over. */
  #native: NativeConnection | undefined;
  readonly #answers = createAnswerWatch();
  readonly #bursts = new Bursts();
  /** The application is having its chance to answer a lone datagram. */
  #answering = false;

  constructor(init: PumpInit) {
    this.#init = init;
    this.#native = init.native;
    this.streams = new Streams({
      native: init.native,
      initiator: init.initiator,
      maxFrameBytes: init.maxFrameBytes,
      onPending: () => {
        if (!this.#answering) this.#schedule();
      },
      onViolation: init.onViolation,
    });
  }

  /** The library took a datagram in. */
  handleDatagram(): void {
    this.#init.busyPoll.handleArrived(this.#answers);
    const when = this.#bursts.handleDatagram();
    if (when === 'alone') {
      this.#answering = true;
      void SETTLED.then(this.#answerSoon);
    } else this.#schedule();
    if (when !== 'later') this.#read();
  }

  /** Reads what the turn left to be read. False when sending waits for another turn. */
  handleTurn(): boolean {
    const due = this.#bursts.handleTurn();
    if (due !== 'write') this.#read();
    if (due === 'read') this.#schedule();
    return due !== 'read';
  }

  /** Sends what the links wrote and what the library has to say. */
  flush(native: NativeConnection): void {
    const { sender, remote, busyPoll } = this.#init;
    const asks = this.streams.pending;
    this.streams.write(native);
    let left = MAX_SENT_PER_TURN;
    while (left > 0 && sender.sendNext(native, remote)) left -= 1;
    if (left === 0) this.#schedule();
    if (asks) busyPoll.handleSent(this.#answers);
  }

  /** The library's memory is about to go. */
  release(): void {
    this.streams.release();
    this.#native = undefined;
  }

  #schedule(): void {
    this.#init.turns.schedule(this.#init.connection);
  }

  #read(): void {
    this.streams.handleArrival();
    this.#init.onReadable();
  }

  /** Runs after all that the application does at once with what arrived: promises settle before the next tick. */
  readonly #answerSoon = (): void => process.nextTick(this.#answer);

  readonly #answer = (): void => {
    this.#answering = false;
    const { turns, connection } = this.#init;
    if (this.streams.pending) turns.drive(connection, () => this.#writeAnswer());
    this.#schedule();
  };

  /** What was written leaves in one datagram if it fits; the turn sends what is left. */
  #writeAnswer(): void {
    const native = this.#native;
    if (!native) return;
    const { sender, remote, busyPoll } = this.#init;
    this.streams.write(native);
    if (sender.sendNext(native, remote)) busyPoll.handleSent(this.#answers);
  }
}
