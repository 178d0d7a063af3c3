import type { Connection } from '@mosaik/transport';
import { CloseCode, type PeerId } from '@mosaik/wire';

/** Bounds the inbound connections of one protocol, in all and per peer. */
export class InboundLimiter {
  readonly #max: number;
  readonly #maxPerPeer: number;
  readonly #byPeer = new Map<PeerId, Connection[]>();
  #count = 0;

  constructor(max: number, maxPerPeer: number) {
    this.#max = max;
    this.#maxPerPeer = maxPerPeer;
  }

  *connections(): Iterable<Connection> {
    for (const connections of this.#byPeer.values()) yield* connections;
  }

  /**
   * Serves `connection` unless there are too many. A peer above its own limit loses its oldest: that one may be left
   * over from before it restarted.
   */
  serve(connection: Connection, serve: (connection: Connection) => Promise<unknown>): void {
    const { remoteId } = connection;
    const own = this.#byPeer.get(remoteId) ?? [];
    if (own.length >= this.#maxPerPeer) void own[0]?.close(CloseCode.Cancelled, 'superseded by a newer one');
    else if (this.#count >= this.#max) {
      void connection.close(CloseCode.Cancelled, 'too many exchanges at a time');
      return;
    }
    this.#add(connection);
    const remove = () => this.#remove(connection);
    serve(connection).then(remove, remove);
  }

  #add(connection: Connection): void {
    this.#count += 1;
    this.#byPeer.set(connection.remoteId, [...(this.#byPeer.get(connection.remoteId) ?? []), connection]);
  }

  #remove(connection: Connection): void {
    const left = this.#byPeer.get(connection.remoteId)?.filter((other) => other !== connection) ?? [];
    this.#count -= 1;
    if (left.length > 0) this.#byPeer.set(connection.remoteId, left);
    else this.#byPeer.delete(connection.remoteId);
  }
}
