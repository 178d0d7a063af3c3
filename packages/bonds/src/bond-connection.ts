import type { CloseReason, Connection, Link } from '@mosaik/transport';
import {
  type BondId,
  BondMessage,
  CloseCode,
  describeCloseCode,
  MAX_CONTROL_FRAME_BYTES,
  type PeerId,
  type SignedPeerEntry,
  WireError,
} from '@mosaik/wire';
import type { Clock, Logger, Metrics, Timer } from '@mosaik/wire/runtime';
import type { Bond, BondDownReason } from './bond.ts';
import { BulkSender } from './bulk-sender.ts';
import { BondCore, type BondCoreInit, type BondEffect, type BondInput } from './core/bond.ts';
import { type BondAdmission, MAX_BULK_QUEUE_BYTES, MAX_CONTROL_QUEUE_BYTES } from './options.ts';
import { encodeRaftFrame } from './raft-frame.ts';

/** Around the bytes of a Raft message on the control link: a discriminant and a length. */
const RAFT_OVERHEAD_BYTES = 4;
/** Says nothing, but opens the bulk link at both ends: a new leader's first append, which is in a hurry, finds it there. */
const EMPTY = new Uint8Array(0);
const ACTIVITY: BondInput = { type: 'activity' };
const WRITTEN: BondInput = { type: 'written' };

/** What a bond asks of the group's manager. */
export interface BondOwner {
  handleRaft(bond: BondConnection, message: Uint8Array): void;
  handleEntry(bond: BondConnection, entry: SignedPeerEntry): void;
  handleAnnounced(bond: BondConnection): void;
  handleEnded(bond: BondConnection, reason: BondDownReason): void;
  /** The heartbeat of a bond is due: those of the others may go along. */
  handleDue(): void;
  admit(bond: BondConnection): Promise<BondAdmission>;
}

export interface BondConnectionInit extends Omit<BondCoreInit, 'peer'> {
  /** Names the connection within its group. */
  number: number;
  connection: Connection;
  /** The link that the handshake ran on. */
  control: Link;
  /** Largest frame of any other link of the connection. */
  maxBulkFrameBytes: number;
  id: BondId;
  incarnation: bigint;
  owner: BondOwner;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  labels: Readonly<Record<string, string>>;
}

/**
 * Drives one proven connection: the control link, a link of raw Raft bytes in each direction, heartbeats.
 *
 * Reading never waits for writing: what is read is delivered synchronously, and what is written is queued up to a bound
 * beyond which the peer counts as unable to drain.
 */
export class BondConnection implements Bond {
  readonly number: number;
  readonly id: BondId;
  readonly peer: PeerId;
  readonly incarnation: bigint;
  readonly formedAtMs: number;
  readonly closed: Promise<CloseReason>;
  /** The bonds that the peer says it has; replaced, never changed, so that a snapshot can keep it. */
  announced: ReadonlySet<PeerId> = new Set();

  readonly #init: BondConnectionInit;
  readonly #core: BondCore;
  readonly #counts = { sentBytes: 0, sentMessages: 0, receivedBytes: 0, receivedMessages: 0 };
  readonly #bulk: BulkSender;
  #timer: Timer | undefined;
  #timerDueMs = 0;
  #started = false;
  #ended = false;
  #resolveClosed: (reason: CloseReason) => void = () => {};

  constructor(init: BondConnectionInit) {
    const { clock, connection } = init;
    this.#init = init;
    this.number = init.number;
    this.id = init.id;
    this.peer = connection.remoteId;
    this.incarnation = init.incarnation;
    this.formedAtMs = clock.nowMs();
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.#bulk = new BulkSender(connection, (error) => {
      if (this.#ended) return;
      init.logger.debug({ peer: this.peer, error }, 'opening the bulk link failed');
      void this.end(CloseCode.UnexpectedClose, 'the bulk link could not be opened');
    });
    this.#core = new BondCore({ ...init, peer: this.peer }, this.formedAtMs);
  }

  get rttMs(): number | undefined {
    return this.#init.connection.rttMs;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Begins to read, and sends `greeting` before anything else. Once; a second call does nothing. */
  start(greeting: readonly BondMessage[]): void {
    if (this.#started || this.#ended) return;
    this.#started = true;
    for (const message of greeting) this.sendMessage(message);
    void this.#readControl();
    void this.#readBulk();
    void this.#bulk.open();
    if (this.#bulk.queuedBytes === 0) this.sendRaft(EMPTY, 'bulk');
    this.#pump();
  }

  sendMessage(message: BondMessage): void {
    this.#writeControl(BondMessage.encode(message));
  }

  /** False when the bond has ended, or could never carry it. Too large for the control link, it goes on the bulk link. */
  sendRaft(message: Uint8Array, lane: 'control' | 'bulk'): boolean {
    if (this.#ended || message.length > this.#init.maxBulkFrameBytes) return false;
    this.#counts.sentMessages += 1;
    if (lane === 'bulk' || message.length + RAFT_OVERHEAD_BYTES > MAX_CONTROL_FRAME_BYTES)
      this.#writeBulk(message);
    else this.#writeControl(encodeRaftFrame(message));
    return !this.#ended;
  }

  handleTick(): void {
    this.#reportCounts();
    this.#handle({ type: 'tick' });
  }

  recheckAdmission(): void {
    this.#handle({ type: 'recheck' });
  }

  close(reason = 'closed by the application'): void {
    void this.end(CloseCode.Cancelled, reason);
  }

  /** Ends the bond from this side; resolves when the peer was told. */
  async end(code: number, reason: string, departed = false): Promise<void> {
    this.#finish({ code, reason, remote: false, departed });
    await this.#init.connection.close(code, reason).catch(() => {});
  }

  async #readControl(): Promise<void> {
    const { control, connection } = this.#init;
    try {
      while (!this.#ended) {
        const frames = await control.receiveBatch();
        if (frames.length === 0) {
          await this.end(CloseCode.ProtocolViolation, 'the control link was finished');
          return;
        }
        this.#handleFrames(frames, this.#handleControlFrame);
      }
    } catch (error) {
      if (this.#ended) return;
      // Only here, after everything that arrived was read: a departure may be the last frame before the close.
      const reason = await connection.closed;
      this.#init.logger.debug({ peer: this.peer, error, ...reason }, 'bond connection ended');
      this.#finish({ ...reason, departed: false });
    }
  }

  async #readBulk(): Promise<void> {
    const { connection } = this.#init;
    try {
      const bulk = await connection.acceptLink();
      void this.#refuseMoreLinks();
      while (!this.#ended) {
        const frames = await bulk.receiveBatch();
        if (frames.length === 0) return;
        this.#handleFrames(frames, this.#handleBulkFrame);
      }
    } catch {
      // The connection ended, which the control link tells.
    }
  }

  async #refuseMoreLinks(): Promise<void> {
    try {
      await this.#init.connection.acceptLink();
      await this.end(CloseCode.ProtocolViolation, 'opened more links than a bond has');
    } catch {
      // The connection ended without one.
    }
  }

  #handleFrames(frames: readonly Uint8Array[], handle: (frame: Uint8Array) => void): void {
    try {
      for (const frame of frames) {
        if (this.#ended) return;
        this.#counts.receivedBytes += frame.length;
        handle(frame);
      }
    } catch (error) {
      if (error instanceof WireError) {
        void this.end(CloseCode.ProtocolViolation, error.message);
        return;
      }
      this.#init.logger.error({ peer: this.peer, error }, 'handling a message of a bond failed');
      void this.end(CloseCode.UnexpectedClose, 'internal error');
    }
  }

  readonly #handleControlFrame = (frame: Uint8Array): void => {
    const message = BondMessage.decode(frame);
    if (message.type === 'Raft') this.#handleRaft(message.value);
    else this.#handle({ type: 'message', message });
  };

  readonly #handleBulkFrame = (frame: Uint8Array): void => {
    if (frame.length > 0) this.#handleRaft(frame);
    else this.#counts.receivedMessages += 1;
  };

  readonly #handleRaft = (message: Uint8Array): void => {
    this.#core.handle(ACTIVITY, this.#init.clock.nowMs());
    this.#counts.receivedMessages += 1;
    this.#init.owner.handleRaft(this, message);
  };

  #writeControl(frame: Uint8Array): void {
    if (this.#ended) return;
    const { control, clock } = this.#init;
    if (control.queuedBytes + frame.length > MAX_CONTROL_QUEUE_BYTES) {
      this.#endSlow('control', control.queuedBytes);
      return;
    }
    this.#core.handle(WRITTEN, clock.nowMs());
    this.#counts.sentBytes += frame.length;
    control.write(frame);
  }

  #writeBulk(frame: Uint8Array): void {
    const { queuedBytes } = this.#bulk;
    // One frame may be larger than the bound: an empty queue always takes it.
    if (queuedBytes > 0 && queuedBytes + frame.length > MAX_BULK_QUEUE_BYTES) {
      this.#endSlow('bulk', queuedBytes);
      return;
    }
    this.#counts.sentBytes += frame.length;
    this.#bulk.write(frame);
  }

  #endSlow(lane: string, queuedBytes: number): void {
    void this.end(CloseCode.Timeout, `the peer does not drain: ${queuedBytes} bytes queued on ${lane}`);
  }

  #handle(input: BondInput): void {
    if (this.#ended) return;
    this.#core.handle(input, this.#init.clock.nowMs());
    this.#pump();
  }

  #pump(): void {
    for (const effect of this.#core.drain()) this.#execute(effect);
    this.#arm();
  }

  #execute(effect: BondEffect): void {
    const { owner } = this.#init;
    switch (effect.type) {
      case 'send':
        this.sendMessage(effect.message);
        break;
      case 'feed':
        owner.handleEntry(this, effect.entry);
        break;
      case 'announced': {
        const announced = new Set(this.announced);
        if (effect.formed) announced.add(effect.peer);
        else announced.delete(effect.peer);
        this.announced = announced;
        owner.handleAnnounced(this);
        break;
      }
      case 'admit':
        void this.#admit(effect.run);
        break;
      case 'close':
        void this.end(effect.code, effect.reason, effect.departed);
        break;
    }
  }

  async #admit(run: number): Promise<void> {
    const { clock, owner } = this.#init;
    let admission: BondAdmission;
    try {
      admission = await owner.admit(this);
    } catch (error) {
      this.#init.logger.warn({ peer: this.peer, error }, 'admission could not be decided');
      admission = { closeCode: CloseCode.NotAllowed, reason: 'admission could not be decided' };
    }
    if (admission.ok !== true) this.#handle({ type: 'decided', run, refusal: admission });
    else {
      const { expiresAtMs } = admission;
      const expiresInMs = expiresAtMs === undefined ? undefined : expiresAtMs - clock.wallMs();
      this.#handle({ type: 'decided', run, expiresInMs });
    }
  }

  #arm(): void {
    if (this.#ended) return;
    const { clock } = this.#init;
    const dueMs = this.#core.nextDeadlineMs();
    if (dueMs === undefined || (this.#timer && this.#timerDueMs === dueMs)) return;
    this.#timer?.cancel();
    this.#timerDueMs = dueMs;
    this.#timer = clock.schedule(dueMs - clock.nowMs(), () => {
      this.#timer = undefined;
      this.#init.owner.handleDue();
    });
  }

  #finish(reason: BondDownReason): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#timer?.cancel();
    this.#reportCounts();
    const { logger, owner } = this.#init;
    logger.info(
      { peer: this.peer, bond: this.id, ...reason },
      `bond ended: ${describeCloseCode(reason.code)}`,
    );
    const { code, reason: text, remote } = reason;
    this.#resolveClosed({ code, reason: text, remote });
    owner.handleEnded(this, reason);
  }

  /** Counted in numbers and reported once a heartbeat: nothing is called per message. */
  #reportCounts(): void {
    const { metrics, labels } = this.#init;
    const counts = this.#counts;
    const report = (name: string, by: number) => {
      if (by > 0) metrics.count(`mosaik.groups.bonds.${name}`, labels, by);
    };
    report('bytes.sent', counts.sentBytes);
    report('bytes.received', counts.receivedBytes);
    report('messages.sent', counts.sentMessages);
    report('messages.received', counts.receivedMessages);
    counts.sentBytes = counts.sentMessages = counts.receivedBytes = counts.receivedMessages = 0;
  }
}
