import { type BondId, type BondMessage, CloseCode, type PeerId, type SignedPeerEntry } from '@mosaik/wire';
import { Heartbeat, type HeartbeatInit } from './heartbeat.ts';

/** Most bonds that one peer may announce. */
const MAX_ANNOUNCED = 1024;

export type BondInput =
  /** A control message other than Raft, which passes by the core and shows as `activity`. */
  | { type: 'message'; message: Exclude<BondMessage, { type: 'Raft' }> }
  /** Bytes arrived on any stream. */
  | { type: 'activity' }
  /** A control frame was written that did not come from this core. */
  | { type: 'written' }
  /** Something changed that admission depends on. */
  | { type: 'recheck' }
  /** Admission was decided: for how long from now, or what to close with. */
  | { type: 'decided'; run: number; expiresInMs: number | undefined }
  | { type: 'decided'; run: number; refusal: { closeCode: number; reason: string } }
  | { type: 'tick' };

export type BondEffect =
  | { type: 'send'; message: BondMessage }
  | { type: 'feed'; entry: SignedPeerEntry }
  /** The peer has, or no longer has, a bond with `peer`. */
  | { type: 'announced'; peer: PeerId; formed: boolean }
  /** Decide on the peer's newest entry and answer with `decided` and this `run`. */
  | { type: 'admit'; run: number }
  | { type: 'close'; code: number; reason: string; departed: boolean };

export interface BondCoreInit extends HeartbeatInit {
  peer: PeerId;
  /** How the id of the bond between two peers is computed. */
  bondIdOf: (a: PeerId, b: PeerId) => BondId;
}

/** One proven bond in its steady state: liveness, what the peer announces, and whether it is still allowed. */
export class BondCore {
  readonly #init: BondCoreInit;
  readonly #heartbeat: Heartbeat;
  /** With their ids, which cost a hash: a loss comes when there is enough to do. */
  readonly #announced = new Map<PeerId, BondId>();
  #admissionDueMs: number | undefined;
  #admissionRun = 0;
  #closed = false;
  #effects: BondEffect[] = [];

  constructor(init: BondCoreInit, nowMs: number) {
    this.#init = init;
    this.#heartbeat = new Heartbeat(init, nowMs);
    // Decided during the handshake already; since then the entry may have changed, or a ticket been revoked.
    this.#admit();
  }

  handle(input: BondInput, nowMs: number): void {
    if (this.#closed) return;
    switch (input.type) {
      case 'activity':
        this.#heartbeat.handleReceived(nowMs);
        break;
      case 'written':
        this.#heartbeat.handleWritten(nowMs);
        break;
      case 'message':
        this.#heartbeat.handleReceived(nowMs);
        this.#handleMessage(input.message, nowMs);
        break;
      case 'recheck':
        this.#admit();
        break;
      case 'decided':
        if (input.run === this.#admissionRun) this.#handleDecided(input, nowMs);
        break;
      case 'tick':
        this.#handleTick(nowMs);
        break;
    }
  }

  drain(): readonly BondEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  nextDeadlineMs(): number | undefined {
    if (this.#closed) return undefined;
    return Math.min(this.#heartbeat.nextDeadlineMs(), this.#admissionDueMs ?? Number.POSITIVE_INFINITY);
  }

  #handleMessage(message: Exclude<BondMessage, { type: 'Raft' }>, nowMs: number): void {
    switch (message.type) {
      case 'Ping':
        this.#send({ type: 'Pong' }, nowMs);
        break;
      case 'Pong':
        break;
      case 'Departure':
        this.#close(CloseCode.GracefulShutdown, 'the peer departed', true);
        break;
      case 'PeerEntryUpdate':
        this.#effects.push({ type: 'feed', entry: message.value });
        break;
      case 'BondFormed':
        this.#handleAnnouncement(message.value, true);
        break;
      case 'BondLost':
        this.#handleAnnouncement(message.value, false);
        break;
    }
  }

  #handleAnnouncement([id, peer]: [BondId, PeerId], formed: boolean): void {
    const announcer = this.#init.peer;
    const known = this.#announced.get(peer);
    if (peer === announcer || id !== (known ?? this.#init.bondIdOf(announcer, peer))) {
      this.#close(CloseCode.ProtocolViolation, 'announced a bond under an id that is not its own', false);
      return;
    }
    if (formed === (known !== undefined)) return;
    if (!formed) this.#announced.delete(peer);
    else if (this.#announced.size === MAX_ANNOUNCED) {
      this.#close(CloseCode.ProtocolViolation, `announced more than ${MAX_ANNOUNCED} bonds`, false);
      return;
    } else this.#announced.set(peer, id);
    this.#effects.push({ type: 'announced', peer, formed });
  }

  #handleTick(nowMs: number): void {
    if (this.#admissionDueMs !== undefined && nowMs >= this.#admissionDueMs) {
      this.#admissionDueMs = undefined;
      this.#admit();
    }
    const { ping, dead } = this.#heartbeat.handleTick(nowMs);
    if (dead) this.#close(CloseCode.Timeout, `missed ${this.#heartbeat.missed} heartbeats`, false);
    else if (ping) this.#send({ type: 'Ping' }, nowMs);
  }

  /** Only the newest question counts: an answer about an older entry says nothing. */
  #admit(): void {
    this.#admissionRun += 1;
    this.#effects.push({ type: 'admit', run: this.#admissionRun });
  }

  #handleDecided(input: Extract<BondInput, { type: 'decided' }>, nowMs: number): void {
    if ('refusal' in input) this.#close(input.refusal.closeCode, input.refusal.reason, false);
    else if (input.expiresInMs === undefined) this.#admissionDueMs = undefined;
    else this.#admissionDueMs = nowMs + input.expiresInMs;
  }

  #send(message: BondMessage, nowMs: number): void {
    this.#heartbeat.handleWritten(nowMs);
    this.#effects.push({ type: 'send', message });
  }

  #close(code: number, reason: string, departed: boolean): void {
    this.#closed = true;
    this.#effects.push({ type: 'close', code, reason, departed });
  }
}
