import { HandshakeError, initiateHandshake } from '@mosaik/handshake';
import type { Endpoint } from '@mosaik/transport';
import { Alpn, CloseCode, MAX_CONTROL_FRAME_BYTES, type NetworkId, type PeerId } from '@mosaik/wire';
import type { Clock, Logger } from '@mosaik/wire/runtime';
import type { AcceptingGroup, ProvenConnection } from './bond-acceptor.ts';
import { handshakeChannel, sessionSecretOf } from './handshake-channel.ts';
import { logRefusal } from './log-refusal.ts';
import type { PeerDirectory } from './peer-directory.ts';

export interface DiallerInit {
  endpoint: Endpoint;
  directory: PeerDirectory;
  networkId: NetworkId;
  handshakeTimeoutMs: number;
  group: AcceptingGroup;
  /** Whether the peer is bonded by now: then a dial that has not begun its handshake is pointless. */
  isBonded: (peer: PeerId) => boolean;
  clock: Clock;
  logger: Logger;
}

/** A connection that was proven, or the close code that it ended with where one was told. */
type Attempt = { proven: ProvenConnection } | { closeCode: number | undefined; address: string | undefined };

/** Dials one peer of a group: connect, handshake, and the one retry that a stale catalog deserves. */
export class Dialler {
  readonly #init: DiallerInit;

  constructor(init: DiallerInit) {
    this.#init = init;
  }

  /**
   * Tries the addresses in order until one answers as `peer`. Never rejects.
   *
   * A peer that does not know this one is told of it, and one that found no valid ticket gets the newest entry: both
   * through an exchange of catalogs, then one retry.
   */
  async dial(
    peer: PeerId,
    addresses: readonly string[],
    signal: AbortSignal,
  ): Promise<ProvenConnection | { closeCode: number | undefined }> {
    const { directory, logger } = this.#init;
    const first = await this.#attempt(peer, addresses, signal);
    if ('proven' in first) return first.proven;
    const { closeCode, address } = first;
    const stale = closeCode === CloseCode.UnknownPeer || closeCode === CloseCode.NotAllowed;
    if (!stale || address === undefined || signal.aborted) return { closeCode };
    try {
      await directory.syncWith(address, { expect: peer, signal });
    } catch (error) {
      logger.debug({ peer, address, error }, 'catalogs could not be exchanged');
      return { closeCode };
    }
    const second = await this.#attempt(peer, [address], signal);
    return 'proven' in second ? second.proven : { closeCode: second.closeCode };
  }

  async #attempt(peer: PeerId, addresses: readonly string[], signal: AbortSignal): Promise<Attempt> {
    const { endpoint, logger } = this.#init;
    for (const address of addresses) {
      if (signal.aborted || this.#init.isBonded(peer)) break;
      try {
        const connection = await endpoint.connect(address, Alpn.groups, { expect: peer, signal });
        try {
          return { proven: await this.#handshake(connection, signal) };
        } catch (error) {
          // The peer answered: what it said holds at its other addresses too.
          const closeCode = closeCodeOf(error);
          const code = closeCode ?? CloseCode.UnexpectedClose;
          await connection.close(code, 'handshake failed').catch(() => {});
          logRefusal(logger, { peer, address, error, closeCode }, 'bond was refused');
          return { closeCode, address };
        }
      } catch (error) {
        const closeCode = closeCodeOf(error);
        logger.debug({ peer, address, error, closeCode }, 'peer could not be dialled');
        if ((error as { code?: string }).code === 'refused') return { closeCode, address };
      }
    }
    return { closeCode: undefined, address: undefined };
  }

  async #handshake(
    connection: Awaited<ReturnType<Endpoint['connect']>>,
    signal: AbortSignal,
  ): Promise<ProvenConnection> {
    const { networkId, endpoint, group, handshakeTimeoutMs, clock } = this.#init;
    const remoteId = connection.remoteId;
    if (this.#init.isBonded(remoteId))
      throw new HandshakeError('cancelled', 'bonded meanwhile', { closeCode: CloseCode.Cancelled });
    const control = await connection.openLink({ priority: 'high' });
    const maxBulkFrameBytes = control.maxFrameBytes;
    control.maxFrameBytes = MAX_CONTROL_FRAME_BYTES;
    const result = await initiateHandshake(handshakeChannel(connection, control), {
      networkId,
      groupId: group.groupId,
      groupKey: group.groupKey,
      sessionSecret: sessionSecretOf(connection, group.groupId),
      localId: endpoint.id,
      remoteId,
      bonds: group.bondEntries(),
      incarnation: group.incarnation,
      admit: ({ incarnation }) => group.admit(remoteId, incarnation, true),
      timeoutMs: handshakeTimeoutMs,
      signal,
      clock,
    });
    return { connection, control, maxBulkFrameBytes, dialled: true, result };
  }
}

function closeCodeOf(error: unknown): number | undefined {
  const { closeCode } = error as { closeCode?: unknown };
  return typeof closeCode === 'number' ? closeCode : undefined;
}
