import type { QuicConnection } from './connection.ts';
import { idKey, shortHeaderKey } from './packet-header.ts';

/** The connections of an endpoint, by the ids that their datagrams are sent to. */
export class ConnectionTable implements Iterable<QuicConnection> {
  readonly #connections = new Set<QuicConnection>();
  readonly #routes = new Map<string, QuicConnection>();

  [Symbol.iterator](): Iterator<QuicConnection> {
    return this.#connections.values();
  }

  add(connection: QuicConnection): void {
    this.#connections.add(connection);
    for (const route of connection.routes) this.#routes.set(route, connection);
  }

  /** False when it was not there any more. */
  delete(connection: QuicConnection): boolean {
    if (!this.#connections.delete(connection)) return false;
    for (const route of connection.routes) this.#routes.delete(route);
    return true;
  }

  ofShortHeader(datagram: Buffer): QuicConnection | undefined {
    return this.#routes.get(shortHeaderKey(datagram));
  }

  ofId(id: Buffer): QuicConnection | undefined {
    return this.#routes.get(idKey(id));
  }
}
