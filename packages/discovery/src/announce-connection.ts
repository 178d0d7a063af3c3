import type { Connection, Link } from '@mosaik/transport';
import {
  AnnounceMessage,
  CloseCode,
  MAX_ANNOUNCE_FRAME_BYTES,
  type NetworkId,
  type SignedPeerEntry,
  WireError,
} from '@mosaik/wire';
import type { Clock } from '@mosaik/wire/runtime';

/** A neighbour that lets more than this wait is closed instead of buffered for. */
const MAX_QUEUED_BYTES = 1024 * 1024;

/** A neighbour is read no faster than this many messages a second, after so many at once: it waits, nothing is lost. */
const MESSAGES_PER_SECOND = 512;
const MESSAGES_AT_ONCE = 2_048;

export interface AnnounceConnectionInit {
  readonly networkId: NetworkId;
  readonly clock: Clock;
  /** For the greeting. */
  readonly timeoutMs: number;
}

/** An announce link with both greetings done. */
export class AnnounceConnection {
  readonly connection: Connection;
  readonly #link: Link;
  readonly #clock: Clock;

  private constructor(connection: Connection, link: Link, clock: Clock) {
    this.connection = connection;
    this.#link = link;
    this.#clock = clock;
  }

  /** Greets, network id first on both sides. Undefined when that failed; the connection is closed then. */
  static async greet(
    connection: Connection,
    init: AnnounceConnectionInit,
  ): Promise<AnnounceConnection | undefined> {
    const deadline = init.clock.schedule(init.timeoutMs, () => {
      void connection.close(CloseCode.Timeout, `no greeting within ${init.timeoutMs} ms`);
    });
    const hello = AnnounceMessage.encode({ type: 'Hello', networkId: init.networkId });
    try {
      const link = connection.initiator ? await connection.openLink() : await connection.acceptLink();
      link.maxFrameBytes = MAX_ANNOUNCE_FRAME_BYTES;
      if (connection.initiator) link.write(hello);
      const frame = await link.receive();
      const message = frame && AnnounceMessage.decode(frame);
      if (message?.type !== 'Hello') {
        void connection.close(CloseCode.ProtocolViolation, 'expected a greeting');
        return undefined;
      }
      if (message.networkId !== init.networkId) {
        void connection.close(CloseCode.DifferentNetwork, 'another network');
        return undefined;
      }
      if (!connection.initiator) link.write(hello);
      return new AnnounceConnection(connection, link, init.clock);
    } catch (error) {
      closeAfter(connection, error);
      return undefined;
    } finally {
      deadline.cancel();
    }
  }

  /** Queues an entry, or closes a neighbour that does not drain. */
  send(entry: SignedPeerEntry): void {
    this.#link.write(AnnounceMessage.encode({ type: 'Entry', value: entry }));
    if (this.#link.queuedBytes > MAX_QUEUED_BYTES)
      this.close(CloseCode.Timeout, 'announcements are not read');
  }

  /**
   * Hands every entry to `receive` until the connection ends; it is closed with 400 when `receive` says false: no
   * honest peer would have sent that entry.
   */
  async run(receive: (entry: SignedPeerEntry) => boolean): Promise<void> {
    let messages = 0;
    let sinceMs = this.#clock.nowMs();
    try {
      for (;;) {
        const frame = await this.#link.receive();
        messages += 1;
        if (messages > MESSAGES_AT_ONCE) {
          const spentMs = (messages / MESSAGES_PER_SECOND) * 1_000;
          await this.#until(sinceMs + spentMs);
          messages = 0;
          sinceMs = this.#clock.nowMs();
        }
        if (!frame) return this.close(CloseCode.Success, 'the link ended');
        const message = AnnounceMessage.decode(frame);
        if (message.type !== 'Entry') return this.close(CloseCode.ProtocolViolation, 'a second greeting');
        if (!receive(message.value)) {
          return this.close(CloseCode.ProtocolViolation, "an entry that is not its subject's");
        }
      }
    } catch (error) {
      closeAfter(this.connection, error);
    }
  }

  #until(atMs: number): Promise<void> {
    const waitMs = atMs - this.#clock.nowMs();
    if (waitMs <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#clock.schedule(waitMs, resolve);
    });
  }

  close(code: number, reason: string): void {
    void this.connection.close(code, reason);
  }
}

/** Does nothing to a connection that ended already. */
function closeAfter(connection: Connection, error: unknown): void {
  if (error instanceof WireError) void connection.close(CloseCode.ProtocolViolation, error.message);
  else void connection.close(CloseCode.UnexpectedClose, 'the link failed');
}
