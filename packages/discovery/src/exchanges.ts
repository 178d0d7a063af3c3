import type { Connection } from '@mosaik/transport';
import { Alpn, CloseCode, comparePeerEntryVersions, type PeerId, type SignedPeerEntry } from '@mosaik/wire';
import { follow, settledUnlessAborted } from './abort.ts';
import type { Catalog } from './core/catalog.ts';
import { dial } from './dial.ts';
import type { ResolvedInit } from './options.ts';
import { syncOver } from './sync-connection.ts';

export interface ExchangesInit {
  readonly options: ResolvedInit;
  readonly catalog: Catalog;
  readonly local: () => SignedPeerEntry;
  /** An entry arrived from `from`; false when no honest peer would have sent it. */
  readonly ingest: (entry: SignedPeerEntry, from: PeerId) => boolean;
  /** A whole exchange with this peer succeeded. */
  readonly contacted: (peer: PeerId) => void;
}

/** Catalog exchanges, a connection each: those dialled, one at a time per peer, and those accepted. */
export class Exchanges {
  readonly #init: ExchangesInit;
  readonly #running = new Set<AbortController>();
  /** The last exchange dialled with each peer, or address where the peer is not known; later ones wait for it. */
  readonly #last = new Map<string, Promise<void>>();
  #closed = false;

  constructor(init: ExchangesInit) {
    this.#init = init;
  }

  /**
   * Exchanges catalogs with whoever is at one of the addresses; resolves with who that was.
   *
   * @throws DiscoveryError; the signal's reason when aborted.
   */
  async dial(
    addresses: readonly string[],
    options: { expect?: PeerId | undefined; signal?: AbortSignal | undefined } = {},
  ): Promise<PeerId> {
    const abort = new AbortController();
    if (this.#closed) abort.abort(closingReason());
    const release = follow(options.signal, abort);
    this.#running.add(abort);
    const key = options.expect ?? addresses.join(' ');
    const earlier = this.#last.get(key);
    const exchange = (async () => {
      if (earlier) await settledUnlessAborted(earlier, abort.signal);
      return this.#dial(addresses, options.expect, abort.signal);
    })();
    const settled = Promise.allSettled([earlier, exchange]).then(() => {
      if (this.#last.get(key) === settled) this.#last.delete(key);
    });
    this.#last.set(key, settled);
    try {
      return await exchange;
    } finally {
      release();
      this.#running.delete(abort);
    }
  }

  /** Answers one that a peer dialled. Never rejects. */
  async serve(connection: Connection): Promise<void> {
    try {
      await this.#run(connection);
    } catch (error) {
      const { logger } = this.#init.options;
      logger.debug({ peer: connection.remoteId, error: (error as Error).message }, 'catalog exchange failed');
    }
  }

  /** Ends the exchanges that were dialled. */
  close(): void {
    this.#closed = true;
    for (const abort of this.#running) abort.abort(closingReason());
  }

  async #dial(
    addresses: readonly string[],
    expect: PeerId | undefined,
    signal: AbortSignal,
  ): Promise<PeerId> {
    const { endpoint, clock, dialTimeoutMs: timeoutMs } = this.#init.options;
    const dialOptions = { clock, timeoutMs, expect, signal };
    const connection = await dial(endpoint, addresses, Alpn.discoverySync, dialOptions);
    if (connection.remoteId === endpoint.id) {
      await connection.close(CloseCode.Success, 'this is the same node');
      return connection.remoteId;
    }
    const abort = () => void connection.close(CloseCode.Cancelled, 'the exchange was cancelled');
    signal.addEventListener('abort', abort, { once: true });
    try {
      await this.#run(connection);
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener('abort', abort);
    }
    return connection.remoteId;
  }

  async #run(connection: Connection): Promise<void> {
    const { options, catalog, local, ingest, contacted } = this.#init;
    const { remoteId } = connection;
    await syncOver(connection, {
      networkId: options.networkId,
      clock: options.clock,
      timeoutMs: options.exchangeTimeoutMs,
      view: {
        digest: () => {
          const { entry } = local();
          return [{ peerId: entry.peerId, version: entry.version }, ...catalog.digest(remoteId)];
        },
        entry: (peer) => (peer === options.endpoint.id ? local() : catalog.entryFor(remoteId, peer)),
        lacks: (item) => {
          if (item.peerId !== options.endpoint.id) return catalog.lacks(item);
          // Worth asking for: if it is signed, this identity used that version before.
          return comparePeerEntryVersions(item.version, local().entry.version) > 0;
        },
      },
      receive: (entry) => ingest(entry, remoteId),
    });
    contacted(remoteId);
    options.metrics.count('mosaik.discovery.catalog.syncs', { network: options.networkId });
  }
}

function closingReason(): Error {
  return new DOMException('discovery is closing', 'AbortError');
}
