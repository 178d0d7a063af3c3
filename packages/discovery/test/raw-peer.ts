import type { CloseReason, Connection, Endpoint, Link } from '@mosaik/transport';
import { AnnounceMessage, type NetworkId, SyncMessage } from '@mosaik/wire';
import type { World } from './world.ts';

/** A connection of a peer that speaks whatever a test wants. */
export class RawPeer {
  readonly connection: Connection;
  readonly link: Link;
  readonly frames: Uint8Array[] = [];
  closed: CloseReason | undefined;

  private constructor(connection: Connection, link: Link) {
    this.connection = connection;
    this.link = link;
    void connection.closed.then((reason) => {
      this.closed = reason;
    });
    void this.#read();
  }

  static async dial(world: World, endpoint: Endpoint, address: string, alpn: string): Promise<RawPeer> {
    const connection = await world.settle(endpoint.connect(address, alpn));
    return new RawPeer(connection, await connection.openLink());
  }

  hello(networkId: NetworkId): void {
    this.link.write(AnnounceMessage.encode({ type: 'Hello', networkId }));
  }

  start(networkId: NetworkId): void {
    this.link.write(SyncMessage.encode({ type: 'Start', networkId }));
  }

  async #read(): Promise<void> {
    try {
      for (let frame = await this.link.receive(); frame; frame = await this.link.receive()) {
        this.frames.push(frame);
      }
    } catch {
      // The connection ended: `closed` says why.
    }
  }
}
