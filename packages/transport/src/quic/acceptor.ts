import type { RemoteInfo } from 'node:dgram';
import type { Clock, Logger, Metrics } from '@mosaik/wire/runtime';
import { type HostPort, unmapped } from '../shared/address.ts';
import { HalfOpen } from '../shared/half-open.ts';
import { type Accepted, Admission } from './admission.ts';
import type { QuicConnection } from './connection.ts';
import type { Native } from './native.ts';
import { nativeLedger } from './native-ledger.ts';
import { type LongHeader, OWN_ID_BYTES } from './packet-header.ts';
import type { Sender } from './sender.ts';
import type { Turns } from './turns.ts';

/** RFC 9000 §14.1. */
const LEAST_INITIAL_BYTES = 1200;

export interface AcceptorInit {
  native: Native;
  /** Unfinished inbound handshakes from which on clients are sent a retry. */
  retryFromHalfOpen?: number | undefined;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  turns: Turns;
  sender: Sender;
  /** Makes the connection of a stranger that was admitted. */
  accept: (verdict: Accepted, remote: HostPort) => QuicConnection;
}

/** What becomes of datagrams that no connection is known for. */
export class Acceptor {
  readonly #init: AcceptorInit;
  readonly #admission: Admission;
  /** Strangers get a part of what connections the process can have. */
  readonly #halfOpen = new HalfOpen(Math.floor(nativeLedger.capacity / 4));

  constructor(init: AcceptorInit) {
    this.#init = init;
    this.#admission = new Admission(init.retryFromHalfOpen);
  }

  /** A new connection, or noise. */
  handleUnknown(datagram: Buffer, header: LongHeader, source: RemoteInfo): void {
    if (datagram.length < LEAST_INITIAL_BYTES) return;
    const { native, sender, clock, logger, metrics, turns } = this.#init;
    const remote = { host: source.address, port: source.port };
    if (header.version !== native.PROTOCOL_VERSION) {
      if (header.version !== 0) {
        sender.reply(remote, (out) => native.negotiateVersion(header.scid, header.dcid, out));
      }
      return;
    }
    if (header.type !== 'initial' || header.dcid.length < OWN_ID_BYTES) return;
    const verdict = this.#admission.judge(header, remote, this.#halfOpen.size, clock.wallMs());
    if (verdict.type === 'retry') {
      const { id, token } = verdict;
      sender.reply(remote, (out) => native.retry(header.scid, header.dcid, id, token, header.version, out));
      return;
    }
    if (verdict.type === 'refuse' || !nativeLedger.admits()) {
      metrics.count('mosaik.transport.handshakes_refused');
      return;
    }
    const host = unmapped(source.address);
    let connection: QuicConnection;
    try {
      connection = this.#init.accept(verdict, remote);
    } catch (error) {
      logger.warn({ host, error: String(error) }, 'an inbound connection could not be set up');
      return;
    }
    connection.leaveHalfOpen = this.#halfOpen.enter(host, () => {
      metrics.count('mosaik.transport.handshakes_refused');
      turns.drive(connection, () => connection.evict());
    });
    turns.drive(connection, () => {
      connection.handleDatagram(datagram, source);
      connection.abandonIfSilent();
    });
  }
}
