import type { GroupKey } from '@mosaik/handshake';
import type { Endpoint } from '@mosaik/transport';
import type { GroupId, NetworkId, PeerId, SignedPeerEntry } from '@mosaik/wire';
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
import type { Bond, BondDownReason } from './bond.ts';
import type { BondAcceptor } from './bond-acceptor.ts';
import type { PeerDirectory } from './peer-directory.ts';

export const DEFAULT_HANDSHAKE_TIMEOUT_MS = 2000;

/** Longer intervals would outlive the transport's own keep-alive. */
export const MAX_HEARTBEAT_INTERVAL_MS = 10_000;

/** Bytes queued on one bond's lane beyond which the peer counts as unable to drain. */
export const MAX_CONTROL_QUEUE_BYTES = 4 * 1024 * 1024;
export const MAX_BULK_QUEUE_BYTES = 32 * 1024 * 1024;

/** Handshakes under way at once, of all peers and of one: half-open ones hold memory until they time out. */
export const MAX_PENDING_HANDSHAKES = 256;
export const MAX_PENDING_HANDSHAKES_PER_PEER = 8;

export interface BondAcceptorInit {
  /** Listens for `Alpn.groups`, which the acceptor consumes. Not closed by it. */
  endpoint: Endpoint;
  networkId: NetworkId;
  directory: PeerDirectory;
  /** For a whole handshake; default 2000, from 1. */
  handshakeTimeoutMs?: number | undefined;
  clock?: Clock | undefined;
  logger?: Logger | undefined;
  metrics?: Metrics | undefined;
}

/** Admitted until a wall-clock time in milliseconds, or for good; or refused with what the peer is told. */
export type BondAdmission =
  | { ok: true; expiresAtMs?: number | undefined }
  | { ok?: false; closeCode: number; reason: string };

export interface BondManagerInit {
  acceptor: BondAcceptor;
  endpoint: Endpoint;
  directory: PeerDirectory;
  networkId: NetworkId;
  groupId: GroupId;
  groupKey: GroupKey;
  /** Of the local log store. */
  incarnation: bigint;
  /** Longest time between two heartbeats, from 1 to 10 000. */
  heartbeatIntervalMs: number;
  /** Each interval is shorter by a random part of this, from 0, below the interval. */
  heartbeatJitterMs: number;
  /** Heartbeats in a row without a sign of life that end a bond, from 1. */
  maxMissedHeartbeats: number;
  /** For a whole handshake, and the time in which two dials count as simultaneous; default 2000, from 1. */
  handshakeTimeoutMs?: number | undefined;
  /** Decides by a peer's tickets, at the handshake, on each new entry, and on expiry. Default: everyone. */
  admission?: ((peer: SignedPeerEntry) => Promise<BondAdmission>) | undefined;
  /** Peers that are dialled for ever, such as voters. */
  persistent?: readonly PeerId[] | undefined;
  /** The bond is in `bonds` and `send` reaches it. Must not throw. */
  onBondUp(bond: Bond): void;
  /** The bond is no longer in `bonds`. Must not throw. */
  onBondDown(bond: Bond, reason: BondDownReason): void;
  /** A Raft message of the bond in `bonds`, a view valid during the call or longer. A WireError closes the bond with 400. */
  onRaft(peer: PeerId, message: Uint8Array): void;
  clock?: Clock | undefined;
  rng?: Rng | undefined;
  logger?: Logger | undefined;
  metrics?: Metrics | undefined;
}

/** An init with its defaults filled in. */
export type Resolved<Init, Defaults extends keyof Init> = Omit<Init, Defaults> & {
  readonly [K in Defaults]-?: NonNullable<Init[K]>;
};

export type ResolvedAcceptorInit = Resolved<
  BondAcceptorInit,
  'handshakeTimeoutMs' | 'clock' | 'logger' | 'metrics'
>;

export type ResolvedManagerInit = Resolved<
  BondManagerInit,
  'handshakeTimeoutMs' | 'admission' | 'persistent' | 'clock' | 'rng' | 'logger' | 'metrics'
>;

/** @throws RangeError that names the option and the value. */
export function resolveAcceptorInit(init: BondAcceptorInit): ResolvedAcceptorInit {
  return {
    ...init,
    handshakeTimeoutMs: ranged(
      'handshakeTimeoutMs',
      init.handshakeTimeoutMs ?? DEFAULT_HANDSHAKE_TIMEOUT_MS,
      1,
    ),
    clock: init.clock ?? systemClock,
    logger: init.logger ?? silentLogger,
    metrics: init.metrics ?? silentMetrics,
  };
}

/** @throws RangeError that names the option and the value. */
export function resolveManagerInit(init: BondManagerInit): ResolvedManagerInit {
  ranged('heartbeatIntervalMs', init.heartbeatIntervalMs, 1, MAX_HEARTBEAT_INTERVAL_MS);
  ranged('heartbeatJitterMs', init.heartbeatJitterMs, 0, init.heartbeatIntervalMs - 1);
  ranged('maxMissedHeartbeats', init.maxMissedHeartbeats, 1);
  return {
    ...init,
    handshakeTimeoutMs: ranged(
      'handshakeTimeoutMs',
      init.handshakeTimeoutMs ?? DEFAULT_HANDSHAKE_TIMEOUT_MS,
      1,
    ),
    admission: init.admission ?? (async () => ({ ok: true })),
    persistent: init.persistent ?? [],
    clock: init.clock ?? systemClock,
    rng: init.rng ?? systemRng,
    logger: init.logger ?? silentLogger,
    metrics: init.metrics ?? silentMetrics,
  };
}

function ranged(name: string, value: number, least: number, most = Number.MAX_SAFE_INTEGER): number {
  if (!Number.isFinite(value) || value < least || value > most)
    throw new RangeError(`${name}: expected a number from ${least} to ${most}, got ${value}`);
  return value;
}
