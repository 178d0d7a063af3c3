import { TransportError } from '../errors.ts';
import type { Connection } from '../ports.ts';
import type { QuicConnection } from './connection.ts';
import { dialError, type End } from './connection-failure.ts';

export interface DialInit {
  /** As it was given, for error texts. */
  address: string;
  alpn: string;
  signal?: AbortSignal | undefined;
}

interface Dial extends DialInit {
  resolve(connection: Connection): void;
  reject(error: unknown): void;
}

/** Who waits for a connection that was dialled. */
export class Dials {
  readonly #dials = new Map<QuicConnection, Dial>();

  /** Settles when the peer accepted the connection, or it ended, or `signal` aborted, which abandons it. */
  wait(connection: QuicConnection, init: DialInit): Promise<Connection> {
    const { signal } = init;
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.reject(connection, signal?.reason);
        connection.abandon('the dial was cancelled');
      };
      const settle = <V>(finish: (value: V) => void) => {
        return (value: V) => {
          this.#dials.delete(connection);
          signal?.removeEventListener('abort', onAbort);
          finish(value);
        };
      };
      this.#dials.set(connection, { ...init, resolve: settle(resolve), reject: settle(reject) });
      signal?.addEventListener('abort', onAbort);
    });
  }

  resolve(connection: QuicConnection): void {
    this.#dials.get(connection)?.resolve(connection);
  }

  reject(connection: QuicConnection, error: unknown): void {
    this.#dials.get(connection)?.reject(error);
  }

  rejectAll(error: TransportError): void {
    for (const dial of [...this.#dials.values()]) dial.reject(error);
  }

  handleEnded(connection: QuicConnection, end: End): void {
    const dial = this.#dials.get(connection);
    dial?.reject(dialError(dial.address, dial.alpn, end));
  }

  /** The host refused a datagram of this connection. False when nobody waits for it. */
  handleUnreachable(connection: QuicConnection, cause: Error): boolean {
    const dial = this.#dials.get(connection);
    dial?.reject(
      new TransportError('unavailable', `cannot send to ${dial.address}: ${cause.message}`, { cause }),
    );
    return dial !== undefined;
  }
}
