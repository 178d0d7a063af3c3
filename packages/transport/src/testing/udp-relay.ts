import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { type Clock, type Rng, systemClock } from '@mosaik/wire/runtime';

/** What the relay does to datagrams; shares from 0 to 1, all 0 by default. Fields may be changed while it runs. */
export interface UdpRelayFaults {
  /** One way; default 0. */
  delayMs: number;
  lossShare: number;
  duplicateShare: number;
  /** Of the datagrams, so many are held back by up to `delayMs` more (1 ms at least), so that later ones overtake. */
  reorderShare: number;
  /** Nothing passes. */
  cut: boolean;
}

export interface UdpRelayInit extends Partial<UdpRelayFaults> {
  /** UDP port on 127.0.0.1 that the relay stands for. */
  port: number;
  rng: Rng;
  /** Default: the system's. */
  clock?: Clock;
  /** Sees every datagram of the two sides before anything happens to it; the buffer is its own. */
  onDatagram?: (datagram: Buffer, towards: 'server' | 'client') => void;
}

/** A bad network between one client endpoint and one server endpoint on loopback, its faults drawn from a seed. */
export class UdpRelay {
  readonly faults: UdpRelayFaults;
  readonly #init: UdpRelayInit;
  readonly #clock: Clock;
  readonly #front = createSocket('udp4');
  readonly #back = createSocket('udp4');
  #clientPort: number | undefined;
  #closed = false;

  private constructor(init: UdpRelayInit) {
    this.#init = init;
    this.#clock = init.clock ?? systemClock;
    const { delayMs = 0, lossShare = 0, duplicateShare = 0, reorderShare = 0, cut = false } = init;
    this.faults = { delayMs, lossShare, duplicateShare, reorderShare, cut };
  }

  static async start(init: UdpRelayInit): Promise<UdpRelay> {
    const relay = new UdpRelay(init);
    for (const socket of [relay.#front, relay.#back]) {
      socket.bind(0, '127.0.0.1');
      await once(socket, 'listening');
    }
    relay.#front.on('message', (datagram, source) => {
      relay.#clientPort = source.port;
      relay.#pass(datagram, 'server');
    });
    relay.#back.on('message', (datagram) => relay.#pass(datagram, 'client'));
    return relay;
  }

  /** What the client dials in place of the server. */
  get address(): string {
    return `127.0.0.1:${this.#front.address().port}`;
  }

  /** Sends a datagram as if it came from the other side, now and whatever the faults. */
  inject(datagram: Uint8Array, towards: 'server' | 'client'): void {
    if (this.#closed) return;
    const [socket, port]: [Socket, number | undefined] =
      towards === 'server' ? [this.#back, this.#init.port] : [this.#front, this.#clientPort];
    if (port !== undefined && datagram.length > 0) socket.send(datagram, port, '127.0.0.1');
  }

  close(): void {
    this.#closed = true;
    this.#front.close();
    this.#back.close();
  }

  #pass(datagram: Buffer, towards: 'server' | 'client'): void {
    this.#init.onDatagram?.(Buffer.from(datagram), towards);
    const { faults } = this;
    const { rng } = this.#init;
    if (faults.cut || rng.float() < faults.lossShare) return;
    const copies = rng.float() < faults.duplicateShare ? 2 : 1;
    for (let i = 0; i < copies; i += 1) {
      const held = rng.float() < faults.reorderShare;
      const delayMs = faults.delayMs + (held ? rng.float() * Math.max(1, faults.delayMs) : 0);
      if (delayMs === 0) this.inject(datagram, towards);
      else this.#clock.schedule(delayMs, () => !this.faults.cut && this.inject(datagram, towards));
    }
  }
}
