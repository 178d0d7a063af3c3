import type { Endpoint, SecretKey } from '@mosaik/transport';
import { MAX_CATALOG_SIZE, type NetworkId, UniqueId } from '@mosaik/wire';
import {
  type Clock,
  type Logger,
  type Metrics,
  type Rng,
  silentLogger,
  silentMetrics,
  systemClock,
  systemRng,
} from '@mosaik/wire/runtime';
import { type BootstrapAddress, parseBootstrap } from './bootstrap.ts';
import type { PeerBook } from './peer-book.ts';

export interface DiscoveryOptions {
  /**
   * How often the own entry is signed anew and announced; default 15 000, from 100. Shorter finds silence sooner and
   * costs every peer a message a period.
   */
  announceIntervalMs?: number | undefined;
  /** Each period differs by up to this, either way; default 5 000, at most the interval. */
  announceJitterMs?: number | undefined;
  /** A peer silent for so long is forgotten; default 300 000, at least three announce periods. */
  purgeAfterMs?: number | undefined;
  /** How far in the future the versions of an entry from a third party may lie; default 50 000, from 0. */
  maxTimeDriftMs?: number | undefined;
  /** Most other peers known at a time; default 4096, from 1 to 16 384. Each takes up to 16 KiB, some 400 bytes as a rule. */
  maxCatalogSize?: number | undefined;
  /** Announce links dialled; default 5, from 1 to 64. Twice as many are accepted. */
  maxNeighbours?: number | undefined;
  /** How often catalogs are exchanged with a random peer; default 60 000, from 1000. */
  syncIntervalMs?: number | undefined;
  /** How long one address may take to answer; default 3 000, from 100. */
  dialTimeoutMs?: number | undefined;
  /** How long one exchange of catalogs, or one greeting, may take; default 10 000, from 100. */
  exchangeTimeoutMs?: number | undefined;
  /** How long `close` may take to tell the neighbours and to save the peer book; default 1 000, from 0. */
  closeTimeoutMs?: number | undefined;
}

/** A way to hear of peers' addresses: multicast DNS, a DNS name, a DHT. */
export interface AddressSource {
  /**
   * Looks until `signal` aborts, and calls `found` with `"<peerId>@host:port"` or `"host:port"` as often as it likes.
   * What is malformed is ignored.
   */
  start(found: (address: string) => void, options: { signal: AbortSignal }): void;
}

export interface DiscoveryInit extends DiscoveryOptions {
  /** Listens for the discovery protocols among others; not closed by discovery. */
  endpoint: Endpoint;
  /** The endpoint's identity: it signs the own entry. */
  secretKey: SecretKey;
  networkId: NetworkId;
  /** Where to find first peers: `"<peerId>@host:port"` or `"host:port"`. */
  bootstrap?: readonly string[] | undefined;
  /** Names, or ids of 64 hex digits. At most 32. */
  tags?: readonly (UniqueId | string)[] | undefined;
  peerBook?: PeerBook | undefined;
  /** Further ways to find first peers. */
  sources?: readonly AddressSource[] | undefined;
  clock?: Clock | undefined;
  rng?: Rng | undefined;
  logger?: Logger | undefined;
  metrics?: Metrics | undefined;
}

/** `DiscoveryInit` with every default filled in. */
export interface ResolvedInit extends Required<{ [K in keyof DiscoveryOptions]: number }> {
  readonly endpoint: Endpoint;
  readonly secretKey: SecretKey;
  readonly networkId: NetworkId;
  readonly bootstrap: readonly BootstrapAddress[];
  readonly tags: readonly UniqueId[];
  readonly peerBook: PeerBook | undefined;
  readonly sources: readonly AddressSource[];
  readonly clock: Clock;
  readonly rng: Rng;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** @throws TypeError or RangeError that names the option and the value. */
export function resolveInit(init: DiscoveryInit): ResolvedInit {
  if (init.endpoint.id !== init.secretKey.id) throw new TypeError("secretKey is not the endpoint's");
  const announceIntervalMs = option(init, 'announceIntervalMs', 15_000, 100);
  return Object.freeze({
    endpoint: init.endpoint,
    secretKey: init.secretKey,
    networkId: init.networkId,
    bootstrap: (init.bootstrap ?? []).map(parseBootstrap),
    tags: (init.tags ?? []).map((tag) => UniqueId.from(tag)),
    peerBook: init.peerBook,
    sources: init.sources ?? [],
    clock: init.clock ?? systemClock,
    rng: init.rng ?? systemRng,
    logger: init.logger ?? silentLogger,
    metrics: init.metrics ?? silentMetrics,
    announceIntervalMs,
    announceJitterMs: option(init, 'announceJitterMs', announceIntervalMs / 3, 0, announceIntervalMs),
    purgeAfterMs: option(
      init,
      'purgeAfterMs',
      Math.max(300_000, 3 * announceIntervalMs),
      3 * announceIntervalMs,
    ),
    maxTimeDriftMs: option(init, 'maxTimeDriftMs', 50_000, 0),
    maxCatalogSize: option(init, 'maxCatalogSize', 4096, 1, MAX_CATALOG_SIZE),
    maxNeighbours: option(init, 'maxNeighbours', 5, 1, 64),
    syncIntervalMs: option(init, 'syncIntervalMs', 60_000, 1_000),
    dialTimeoutMs: option(init, 'dialTimeoutMs', 3_000, 100),
    exchangeTimeoutMs: option(init, 'exchangeTimeoutMs', 10_000, 100),
    closeTimeoutMs: option(init, 'closeTimeoutMs', 1_000, 0),
  });
}

function option(
  init: DiscoveryOptions,
  name: keyof DiscoveryOptions,
  fallback: number,
  min: number,
  max = 2 ** 31 - 1,
): number {
  const value = init[name] ?? fallback;
  if (!Number.isFinite(value) || value < min || value > max) {
    throw new RangeError(`${name} must be from ${min} to ${max}, got ${value}`);
  }
  return value;
}
