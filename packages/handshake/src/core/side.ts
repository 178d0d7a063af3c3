import { CloseCode, MAX_CONTROL_FRAME_BYTES, type PeerId, WireError } from '@mosaik/wire';
import type {
  HandshakeEffect,
  HandshakeFailure,
  HandshakeInput,
  HandshakeMachine,
  HandshakeResult,
} from './machine.ts';

/** What both sides share: the deadline, the ways to fail, and that a finished handshake hears nothing more. */
export abstract class HandshakeSide implements HandshakeMachine {
  protected readonly localId: PeerId;
  protected readonly remoteId: PeerId;
  readonly #timeoutMs: number;
  #deadlineMs: number | undefined;
  #finished = false;
  #effects: HandshakeEffect[] = [];

  constructor(init: { localId: PeerId; remoteId: PeerId; timeoutMs: number }) {
    this.localId = init.localId;
    this.remoteId = init.remoteId;
    this.#timeoutMs = init.timeoutMs;
  }

  handle(input: HandshakeInput, nowMs: number): void {
    if (this.#finished) return;
    if (this.#deadlineMs !== undefined && nowMs >= this.#deadlineMs) {
      this.fail('timeout', CloseCode.Timeout, 'handshake not done in time');
      return;
    }
    switch (input.type) {
      case 'begin':
        this.#deadlineMs = nowMs + this.#timeoutMs;
        // The prover's name in a proof tells the two sides apart; with oneself it could not.
        if (this.localId === this.remoteId)
          this.fail('invalid-handshake', CloseCode.InvalidHandshake, 'a peer cannot bond with itself');
        else this.handleBegin();
        break;
      case 'sent':
        this.handleSent();
        break;
      case 'received':
        this.#handleFrame(input.frame);
        break;
      case 'decided':
        if (input.admission.ok === true) this.handleAdmitted();
        else
          this.fail('not-admitted', input.admission.closeCode, input.admission.reason, {
            cause: input.cause,
          });
        break;
      case 'ended':
        this.fail(
          'closed',
          input.closeCode ?? CloseCode.UnexpectedClose,
          'channel ended during the handshake',
          { remote: true, cause: input.cause },
        );
        break;
      case 'aborted':
        this.fail('cancelled', CloseCode.Cancelled, 'handshake cancelled', { cause: input.cause });
        break;
      case 'tick':
        break;
    }
  }

  drain(): readonly HandshakeEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  nextDeadlineMs(): number | undefined {
    return this.#finished ? undefined : this.#deadlineMs;
  }

  protected abstract handleBegin(): void;
  protected abstract handleSent(): void;
  /** May throw WireError: then the frame was no handshake. */
  protected abstract handleFrame(frame: Uint8Array): void;
  protected abstract handleAdmitted(): void;

  protected emit(effect: HandshakeEffect): void {
    this.#effects.push(effect);
  }

  protected finish(result: HandshakeResult): void {
    this.#finished = true;
    this.emit({ type: 'done', result });
  }

  protected fail(
    code: HandshakeFailure['code'],
    closeCode: number,
    reason: string,
    options: { remote?: boolean; cause?: unknown } = {},
  ): void {
    this.#finished = true;
    this.emit({
      type: 'fail',
      code,
      closeCode,
      reason,
      remote: options.remote ?? false,
      cause: options.cause,
    });
  }

  #handleFrame(frame: Uint8Array): void {
    if (frame.length > MAX_CONTROL_FRAME_BYTES) {
      this.fail('too-large', CloseCode.ProtocolViolation, `handshake frame of ${frame.length} bytes`);
      return;
    }
    try {
      this.handleFrame(frame);
    } catch (cause) {
      if (!(cause instanceof WireError)) throw cause;
      this.fail('invalid-handshake', CloseCode.InvalidHandshake, cause.message, { cause });
    }
  }
}
