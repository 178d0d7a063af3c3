import { loadNative, type NativeConnection } from '../quic/native.ts';

/** By who opened a stream, and whether it has one direction (RFC 9000 §2.1): the ids of a kind are that far apart. */
const KINDS = 4;

/**
 * What the QUIC library holds of streams, which nothing above it shows. Sees the connections of this process that begin
 * while it watches, both ends of those within it.
 */
export class NativeStreams {
  readonly #prototype: NativeConnection;
  readonly #setKeylog: NativeConnection['setKeylog'];
  readonly #connections = new Set<NativeConnection>();

  private constructor(prototype: NativeConnection) {
    const connections = this.#connections;
    const { setKeylog } = prototype;
    this.#prototype = prototype;
    this.#setKeylog = setKeylog;
    // The first thing that is asked of each.
    prototype.setKeylog = function (this: NativeConnection, path: string): void {
      connections.add(this);
      setKeylog.call(this, path);
    };
  }

  static async watch(): Promise<NativeStreams> {
    const { Connection } = await loadNative();
    // The binding's types leave it out.
    return new NativeStreams((Connection as unknown as { prototype: NativeConnection }).prototype);
  }

  /** Streams in the tables of all connections seen, among the first `each` of each kind. */
  count(each: number): number {
    let held = 0;
    for (const connection of this.#connections) {
      for (let id = 0; id < KINDS * each; id += 1) if (holds(connection, id)) held += 1;
    }
    return held;
  }

  /** Sees no further ones and lets go of those that it saw. */
  stop(): void {
    this.#prototype.setKeylog = this.#setKeylog;
    this.#connections.clear();
  }
}

/** The library has no list of its streams; only those that it holds have a capacity. */
function holds(connection: NativeConnection, id: number): boolean {
  try {
    connection.streamCapacity(id);
    return true;
  } catch (error) {
    return !String(error).includes('InvalidStreamState');
  }
}
