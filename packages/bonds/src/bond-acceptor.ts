import { acceptHandshake, type GroupKey, HandshakeError, type HandshakeResult } from '@mosaik/handshake';
import type { Connection, Link } from '@mosaik/transport';
import {
  Alpn,
  CloseCode,
  type GroupId,
  MAX_CONTROL_FRAME_BYTES,
  type PeerId,
  type SignedPeerEntry,
} from '@mosaik/wire';
import { BondError } from './errors.ts';
import { handshakeChannel, sessionSecretOf } from './handshake-channel.ts';
import { logRefusal } from './log-refusal.ts';
import {
  type BondAcceptorInit,
  type BondAdmission,
  MAX_PENDING_HANDSHAKES,
  MAX_PENDING_HANDSHAKES_PER_PEER,
  type ResolvedAcceptorInit,
  resolveAcceptorInit,
} from './options.ts';

/** A group that inbound handshakes may name. */
export interface AcceptingGroup {
  readonly groupId: GroupId;
  readonly groupKey: GroupKey;
  readonly incarnation: bigint;
  bondEntries(): readonly SignedPeerEntry[];
  admit(peer: PeerId, incarnation: bigint, dialled: boolean): Promise<BondAdmission>;
  handleProven(proven: ProvenConnection): void;
}

/** A connection whose handshake is done. */
export interface ProvenConnection {
  connection: Connection;
  /** The link that the handshake ran on. */
  control: Link;
  /** Largest frame of any other link of the connection. */
  maxBulkFrameBytes: number;
  dialled: boolean;
  result: HandshakeResult;
}

/**
 * Answers every inbound bond of an endpoint and hands the proven ones to their group: known peer, handshake, admission.
 * One per endpoint. A connection that fails any step is closed with its code and concerns no group.
 */
export class BondAcceptor {
  readonly #init: ResolvedAcceptorInit;
  readonly #groups = new Map<GroupId, AcceptingGroup>();
  readonly #pending = new Map<PeerId, number>();
  /** One for each handshake under way. */
  readonly #handshakes = new Set<AbortController>();
  #isClosed = false;

  constructor(init: BondAcceptorInit) {
    this.#init = resolveAcceptorInit(init);
    void this.#acceptAll();
  }

  /** Lets handshakes name the group. @throws BondError `closed`, `duplicate-group`. */
  register(group: AcceptingGroup): void {
    if (this.#isClosed) throw new BondError('closed', 'the acceptor is closed');
    if (this.#groups.has(group.groupId))
      throw new BondError('duplicate-group', `group ${group.groupId} is registered already`);
    this.#groups.set(group.groupId, group);
  }

  unregister(groupId: GroupId): void {
    this.#groups.delete(groupId);
  }

  /** Refuses whoever comes from now on. Bonds that exist are their managers'. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const handshake of this.#handshakes) handshake.abort();
    this.#groups.clear();
  }

  async #acceptAll(): Promise<void> {
    const { endpoint, logger } = this.#init;
    try {
      for await (const connection of endpoint.inbound(Alpn.groups)) void this.#accept(connection);
    } catch (error) {
      if (!this.#isClosed) logger.debug({ error }, 'no more inbound bonds');
    }
  }

  async #accept(connection: Connection): Promise<void> {
    const { logger } = this.#init;
    const peer = connection.remoteId;
    const refusal = this.#refusal(peer);
    if (refusal) {
      this.#countFailure(refusal.code);
      await connection.close(refusal.code, refusal.reason).catch(() => {});
      return;
    }
    const aborter = new AbortController();
    this.#handshakes.add(aborter);
    this.#count(peer, 1);
    try {
      await this.#handshake(connection, aborter);
    } catch (error) {
      const { closeCode = CloseCode.UnexpectedClose } = error as { closeCode?: number };
      this.#countFailure(closeCode);
      logRefusal(
        logger,
        { peer, address: connection.remoteAddress, error, closeCode },
        'inbound bond refused',
      );
      await connection.close(closeCode, 'handshake failed').catch(() => {});
    } finally {
      this.#count(peer, -1);
      this.#handshakes.delete(aborter);
    }
  }

  #refusal(peer: PeerId): { code: number; reason: string } | undefined {
    if (this.#isClosed) return { code: CloseCode.GracefulShutdown, reason: 'shutting down' };
    if (
      this.#handshakes.size >= MAX_PENDING_HANDSHAKES ||
      (this.#pending.get(peer) ?? 0) >= MAX_PENDING_HANDSHAKES_PER_PEER
    )
      return { code: CloseCode.Cancelled, reason: 'too many handshakes under way' };
    if (!this.#init.directory.entry(peer))
      return { code: CloseCode.UnknownPeer, reason: 'not in the catalog of this peer' };
    return undefined;
  }

  async #handshake(connection: Connection, aborter: AbortController): Promise<void> {
    const { networkId, endpoint, clock, handshakeTimeoutMs } = this.#init;
    const deadlineMs = clock.nowMs() + handshakeTimeoutMs;
    const control = await this.#acceptControl(connection, aborter);
    const maxBulkFrameBytes = control.maxFrameBytes;
    control.maxFrameBytes = MAX_CONTROL_FRAME_BYTES;
    // Held from the moment it is named: a group that is left and joined again meanwhile is another one.
    let group: AcceptingGroup | undefined;
    const result = await acceptHandshake(handshakeChannel(connection, control), {
      networkId,
      groups: (groupId) => {
        group = this.#groups.get(groupId);
        return group?.groupKey;
      },
      sessionSecret: (groupId) => sessionSecretOf(connection, groupId),
      localId: endpoint.id,
      remoteId: connection.remoteId,
      bonds: () => group?.bondEntries() ?? [],
      incarnation: () => group?.incarnation ?? 0n,
      admit: async ({ remoteId, incarnation }) => group?.admit(remoteId, incarnation, false) ?? NO_GROUP,
      timeoutMs: Math.max(1, deadlineMs - clock.nowMs()),
      signal: aborter.signal,
      clock,
    });
    group?.handleProven({ connection, control, maxBulkFrameBytes, dialled: false, result });
  }

  /** The initiator's first link, in time: a peer that connects and then says nothing is let go. */
  async #acceptControl(connection: Connection, aborter: AbortController): Promise<Link> {
    const { clock, handshakeTimeoutMs } = this.#init;
    const late = new HandshakeError('timeout', 'no handshake in time', { closeCode: CloseCode.Timeout });
    const timer = clock.schedule(handshakeTimeoutMs, () => aborter.abort(late));
    try {
      return await connection.acceptLink({ signal: aborter.signal });
    } finally {
      timer.cancel();
    }
  }

  #countFailure(closeCode: number): void {
    const labels = { network: this.#init.networkId, code: String(closeCode) };
    this.#init.metrics.count('mosaik.groups.bonds.handshake.failures', labels);
  }

  #count(peer: PeerId, by: number): void {
    const count = (this.#pending.get(peer) ?? 0) + by;
    if (count > 0) this.#pending.set(peer, count);
    else this.#pending.delete(peer);
  }
}

const NO_GROUP = { closeCode: CloseCode.GroupNotFound, reason: 'no such group here' };
