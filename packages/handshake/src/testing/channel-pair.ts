import type { HandshakeChannel } from '../channel.ts';

/** One end of a channel in memory, with what its user did to it. */
export interface TestChannel extends HandshakeChannel {
  /** Frames that this end sent, in order. */
  readonly sent: readonly Uint8Array[];
  /** How this end was closed first, by whichever side. */
  readonly closed: { code: number; reason: string; remote: boolean } | undefined;
}

/** Two ends of an ordered channel in memory. Closing one tells the other its code, as a transport would. */
export function channelPair(): [TestChannel, TestChannel] {
  const a = new End();
  const b = new End();
  a.peer = b;
  b.peer = a;
  return [a, b];
}

class ChannelClosed extends Error {
  readonly closeCode: number;

  constructor(closeCode: number) {
    super(`channel closed with ${closeCode}`);
    this.closeCode = closeCode;
  }
}

class End implements TestChannel {
  peer: End | undefined;
  closed: TestChannel['closed'];
  readonly sent: Uint8Array[] = [];
  readonly #inbox: Uint8Array[] = [];
  #waiting: (() => void) | undefined;

  async send(frame: Uint8Array): Promise<void> {
    if (this.closed) throw new ChannelClosed(this.closed.code);
    this.sent.push(frame);
    this.peer?.deliver(frame);
  }

  async receive({ signal }: { signal?: AbortSignal } = {}): Promise<Uint8Array | undefined> {
    while (this.#inbox.length === 0 && !this.closed) {
      signal?.throwIfAborted();
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
        signal?.addEventListener('abort', () => resolve(), { once: true });
      });
    }
    const frame = this.#inbox.shift();
    if (!frame && this.closed) throw new ChannelClosed(this.closed.code);
    return frame;
  }

  async close(code: number, reason: string): Promise<void> {
    this.#closeWith(code, reason, false);
    this.peer?.closeFromPeer(code, reason);
  }

  deliver(frame: Uint8Array): void {
    this.#inbox.push(Uint8Array.from(frame));
    this.#waiting?.();
  }

  closeFromPeer(code: number, reason: string): void {
    this.#closeWith(code, reason, true);
  }

  #closeWith(code: number, reason: string, remote: boolean): void {
    this.closed ??= { code, reason, remote };
    this.#waiting?.();
  }
}
