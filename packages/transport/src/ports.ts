import type { PeerId } from '@mosaik/wire';
import type { Clock, Logger, Metrics } from '@mosaik/wire/runtime';
import type { SecretKey } from './secret-key.ts';

/** How to make endpoints: `quicTransport` from `./quic`, `memoryTransport()` from `./memory`. */
export interface Transport {
  /**
   * Binds one endpoint that dials and accepts.
   *
   * @throws TransportError `address-in-use`, `address-invalid`, `bind-failed`.
   */
  listen(init: ListenInit): Promise<Endpoint>;
}

export interface ListenInit {
  /** Who this endpoint is: its public key is the PeerId that peers verify. */
  secretKey: SecretKey;
  /** Address to bind; default `'0.0.0.0'`. IPv6 without brackets. */
  host?: string;
  /** UDP port; default 0: any free one. */
  port?: number;
  /** Addresses to name instead of the bound ones, as `"host:port"`. */
  advertise?: readonly string[];
  /** Protocols accepted inbound; dialling may use any of them. */
  alpns: readonly string[];
  /** Largest frame a link accepts unless the link is told otherwise; default 16 MiB. */
  maxFrameBytes?: number;
  /** A connection that hears nothing for so long ends with `timeout`; default 30 000. */
  idleTimeoutMs?: number;
  /** Keeps quiet connections alive; default 10 000. */
  keepAliveMs?: number;
  /** A handshake, dialled or accepted, that takes longer ends with `timeout`; default 5 000. */
  handshakeTimeoutMs?: number;
  /** Largest UDP payload sent to a non-loopback address; default 1350, from 1200. */
  maxDatagramBytes?: number;
  /** The same to a loopback address; default and maximum 16 383. */
  loopbackDatagramBytes?: number;
  clock?: Clock;
  logger?: Logger;
  metrics?: Metrics;
}

/** One bound address that dials and accepts connections. */
export interface Endpoint {
  readonly id: PeerId;
  /** Where peers can dial this endpoint, as `"host:port"`, IPv6 as `"[::1]:7400"`. */
  readonly addresses: readonly string[];
  /**
   * Dials. Resolves only when the peer accepted our certificate too.
   *
   * @throws TransportError `peer-mismatch` when the peer is not `expect` (it is told 401), `certificate`,
   * `timeout`, `alpn`, `refused` (with the peer's `closeCode`), `address-invalid`, `closed`; the signal's reason
   * when aborted.
   */
  connect(address: string, alpn: string, options?: ConnectOptions): Promise<Connection>;
  /** Authenticated inbound connections of one protocol; ends when the endpoint closes. One consumer per ALPN. */
  inbound(alpn: string): AsyncIterable<Connection>;
  /** Closes every connection with 204 GracefulShutdown, flushes, and frees the socket. Idempotent. */
  close(): Promise<void>;
}

export interface ConnectOptions {
  /** Refuse any other peer. */
  expect?: PeerId;
  signal?: AbortSignal;
}

/** Why a connection ended: the application code, and whether the other side said so. */
export interface CloseReason {
  /** An application close code; 103 UnexpectedClose for a transport error, 30408 Timeout for an idle timeout. */
  readonly code: number;
  readonly reason: string;
  readonly remote: boolean;
}

/** An authenticated, encrypted connection to one peer. */
export interface Connection {
  readonly remoteId: PeerId;
  readonly alpn: string;
  /** True on the side that dialled. */
  readonly initiator: boolean;
  /** Address of the other side, for logs. */
  readonly remoteAddress: string;
  /** Smoothed round trip in milliseconds (over QUIC whole ones: 0 is less than one), undefined until measured. */
  readonly rttMs: number | undefined;
  /** TLS 1.3 exporter (RFC 8446 §7.5): equal on both ends, unique per connection, label and context. */
  exportKeyingMaterial(label: string, context: Uint8Array, length: number): Uint8Array;
  /** Opens a bidirectional stream. The peer learns of it with its first frame. */
  openLink(options?: LinkOptions): Promise<Link>;
  /** The next link that the peer opened and wrote to. @throws TransportError `closed` when the connection ended. */
  acceptLink(options?: { signal?: AbortSignal }): Promise<Link>;
  /** Tells the peer, after everything written so far had its chance to leave. The reason is cut at 256 bytes. Idempotent: the first call decides. */
  close(code: number, reason?: string): Promise<void>;
  /** Resolves once, never rejects. */
  readonly closed: Promise<CloseReason>;
}

export interface LinkOptions {
  /** Sent before links of a lower urgency when both wait; default `'normal'`. */
  priority?: LinkPriority;
}

export type LinkPriority = 'high' | 'normal';

/** A stream of whole frames in both directions, each a 4-byte big-endian length and that many bytes. */
export interface Link {
  /** Largest frame accepted; above it the connection closes with 400 ProtocolViolation before a byte is buffered. */
  maxFrameBytes: number;
  /** Urgency of what this end sends; an accepted link starts as `'normal'`. Counts for frames written from then on. */
  priority: LinkPriority;
  /**
   * Queues one frame; `frame` is borrowed until the promise resolves, which it does when the queue has room again.
   *
   * @throws TransportError `closed`, `too-large`.
   */
  send(frame: Uint8Array): Promise<void>;
  /**
   * Queues one frame without waiting; `frame` is borrowed and must not be changed afterwards. Frames written in one
   * turn leave together. False when the queue is above its high-water mark: wait for `drained()` before more.
   * A link that is closed drops the frame and returns false.
   *
   * @throws TransportError `too-large`; `overloaded` when 64 MiB are queued because `drained()` was not waited for.
   */
  write(frame: Uint8Array): boolean;
  /** Bytes queued and not yet taken by the transport. */
  readonly queuedBytes: number;
  /** Resolves when the queue is below its low-water mark. @throws TransportError `closed`. */
  drained(): Promise<void>;
  /** The next frame, a view owned by the caller (it shares a slab with its neighbours: copy small parts that you keep for long); undefined when the peer finished the link. @throws TransportError `closed` when the connection ended otherwise. */
  receive(options?: { signal?: AbortSignal }): Promise<Uint8Array | undefined>;
  /** Every frame that is there, at least one; an empty array when the peer finished the link. Frames as from `receive`. */
  receiveBatch(): Promise<Uint8Array[]>;
  /** Finishes this direction after what was written; the peer's frames can still be received. */
  close(): Promise<void>;
}
