import { deriveBondId } from '@mosaik/handshake';
import { type BondMessage, CloseCode, type PeerId, type SignedPeerEntry } from '@mosaik/wire';
import { type Timer, type Watch, WatchCell } from '@mosaik/wire/runtime';
import type { BondDownReason } from './bond.ts';
import type { AcceptingGroup, ProvenConnection } from './bond-acceptor.ts';
import { BondConnection, type BondOwner } from './bond-connection.ts';
import { Bonds } from './bonds.ts';
import { BondTable, type BondTableEffect, type BondTableInput } from './core/bond-table.ts';
import { deriveEdges } from './core/topology.ts';
import { Dialler } from './dialler.ts';
import { BondError } from './errors.ts';
import {
  type BondAdmission,
  type BondManagerInit,
  type ResolvedManagerInit,
  resolveManagerInit,
} from './options.ts';

/** Ended by the table's own choice rather than by the connection: what `onBondDown` is told when a bond moves. */
const MOVED: BondDownReason = {
  code: CloseCode.AlreadyBonded,
  reason: 'replaced by another connection to the same peer',
  remote: false,
  departed: false,
};

/** The bonds of one group: dials its members, takes what the acceptor proved, and keeps one bond with each. */
export class BondManager {
  readonly #init: ResolvedManagerInit;
  readonly #bonds = new WatchCell(Bonds.empty);
  readonly #table: BondTable;
  readonly #group: AcceptingGroup;
  readonly #dialler: Dialler;
  /** Every proven connection, spare ones included, by number. */
  readonly #connections = new Map<number, BondConnection>();
  /** The one connection that is the bond with each peer. */
  readonly #live = new Map<PeerId, BondConnection>();
  /** Why connections ended, until the table has said what that means. */
  readonly #endings = new Map<number, BondDownReason>();
  readonly #labels: Readonly<Record<string, string>>;
  /** One for each dial under way. */
  readonly #dials = new Set<AbortController>();
  readonly #unsubscribe: (() => void)[] = [];
  #closed: Promise<void> | undefined;
  #nextNumber = 1;
  #timer: Timer | undefined;
  #pumping = false;
  #isClosing = false;

  /** @throws RangeError for an option out of range, BondError when the group is registered or the acceptor closed. */
  constructor(init: BondManagerInit) {
    const resolved = resolveManagerInit(init);
    const { directory, endpoint, groupId, networkId } = resolved;
    this.#init = resolved;
    this.#labels = { network: networkId, group: groupId };
    this.#table = new BondTable({ ...resolved, localId: endpoint.id });
    this.#group = {
      groupId,
      groupKey: resolved.groupKey,
      incarnation: resolved.incarnation,
      bondEntries: () => this.#bondEntries(),
      admit: (peer, incarnation, dialled) => this.#admitProven(peer, incarnation, dialled),
      handleProven: (proven) => this.#handleProven(proven),
    };
    this.#dialler = new Dialler({
      ...resolved,
      group: this.#group,
      isBonded: (peer) => this.#live.has(peer),
    });
    resolved.acceptor.register(this.#group);
    this.#unsubscribe.push(
      directory.subscribe((entry) => this.#handleEntry(entry)),
      directory.local.subscribe((value) => this.#broadcast({ type: 'PeerEntryUpdate', value })),
    );
    for (const entry of [...directory.entries()]) this.#handle({ type: 'entry', entry });
  }

  /** The bonds at this moment, and those to come. */
  get bonds(): Watch<Bonds> {
    return this.#bonds;
  }

  /**
   * Sends a Raft message, borrowed until it has left. `bulk` is for what may take long: it never delays heartbeats and
   * control messages, and has no order with them; an empty one is not handed on. False when there is no bond with the peer.
   */
  send(peer: PeerId, message: Uint8Array, lane: 'control' | 'bulk'): boolean {
    return this.#live.get(peer)?.sendRaft(message, lane) ?? false;
  }

  /** These are dialled for ever from now on, instead of those given before. */
  setPersistent(peers: readonly PeerId[]): void {
    this.#handle({ type: 'persistent', peers });
    // What is known of one that was given up is not remembered here.
    for (const peer of peers) {
      const entry = this.#init.directory.entry(peer);
      if (entry && !this.#live.has(peer)) this.#handle({ type: 'entry', entry });
    }
  }

  /** Decides anew on every bonded peer: tickets may have been revoked. */
  recheckAdmissions(): void {
    for (const bond of [...this.#connections.values()]) bond.recheckAdmission();
  }

  /** Ends every bond with 204; `departing` says goodbye first, so that peers do not dial again. Idempotent. */
  close(options: { departing?: boolean } = {}): Promise<void> {
    this.#closed ??= this.#close(options.departing ?? false);
    return this.#closed;
  }

  async #close(departing: boolean): Promise<void> {
    this.#isClosing = true;
    for (const dial of this.#dials) dial.abort();
    this.#init.acceptor.unregister(this.#init.groupId);
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#timer?.cancel();
    const connections = [...this.#connections.values()];
    if (departing) for (const bond of connections) bond.sendMessage({ type: 'Departure' });
    await Promise.all(
      connections.map((bond) => bond.end(CloseCode.GracefulShutdown, 'the member left the group')),
    );
    this.#bonds.close(new BondError('closed', 'the bonds of this group are closed'));
  }

  #handle(input: BondTableInput): void {
    this.#table.handle(input, this.#init.clock.nowMs());
    this.#pump();
  }

  /** Effects of effects come after, not in between. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      for (let effects = this.#table.drain(); effects.length > 0; effects = this.#table.drain())
        for (const effect of effects) this.#execute(effect);
    } finally {
      this.#pumping = false;
    }
    this.#arm();
  }

  #execute(effect: BondTableEffect): void {
    const { clock, logger, metrics } = this.#init;
    switch (effect.type) {
      case 'dial':
        if (this.#isClosing) break;
        if (!effect.everBonded && !this.#init.directory.entry(effect.peer))
          this.#table.handle({ type: 'forgotten', peer: effect.peer }, clock.nowMs());
        else void this.#dial(effect.peer, effect.addresses);
        break;
      case 'bond':
        this.#handleBondMoved(effect);
        break;
      case 'close':
        void this.#connections.get(effect.connection)?.end(effect.code, effect.reason);
        break;
      case 'duplicate-identity':
        logger.error(
          { peer: effect.peer },
          'duplicate identity: two processes use one key; both are refused',
        );
        metrics.count('mosaik.groups.bonds.duplicate.identities', this.#labels);
        break;
    }
  }

  async #dial(peer: PeerId, addresses: readonly string[]): Promise<void> {
    const aborter = new AbortController();
    this.#dials.add(aborter);
    const outcome = await this.#dialler.dial(peer, addresses, aborter.signal);
    this.#dials.delete(aborter);
    if ('connection' in outcome) this.#handleProven(outcome);
    else if (!this.#isClosing) {
      const { closeCode } = outcome;
      if (closeCode !== undefined)
        this.#init.metrics.count('mosaik.groups.bonds.dial.refusals', {
          ...this.#labels,
          code: String(closeCode),
        });
      this.#handle({ type: 'dial-failed', peer, closeCode });
    }
  }

  #handleProven({ connection, control, maxBulkFrameBytes, dialled, result }: ProvenConnection): void {
    if (this.#isClosing) {
      void connection.close(CloseCode.GracefulShutdown, 'the group was left').catch(() => {});
      return;
    }
    const { clock, logger, metrics, rng, directory, endpoint, groupKey } = this.#init;
    const peer = connection.remoteId;
    const bond = new BondConnection({
      number: this.#nextNumber++,
      connection,
      control,
      maxBulkFrameBytes,
      id: deriveBondId(groupKey, endpoint.id, peer),
      incarnation: result.incarnation,
      intervalMs: this.#init.heartbeatIntervalMs,
      jitterMs: this.#init.heartbeatJitterMs,
      maxMissed: this.#init.maxMissedHeartbeats,
      bondIdOf: (a, b) => deriveBondId(groupKey, a, b),
      owner: this.#owner,
      rng,
      clock,
      logger,
      metrics,
      labels: this.#labels,
    });
    this.#connections.set(bond.number, bond);
    const known = directory.entry(peer);
    if (known) this.#handle({ type: 'entry', entry: known });
    const { number, incarnation } = bond;
    this.#handle({ type: 'proven', connection: number, peer, dialled, incarnation });
    for (const entry of result.bonds) directory.feed(entry, { vouched: true });
  }

  #handleBondMoved({ peer, from, to }: Extract<BondTableEffect, { type: 'bond' }>): void {
    const { logger } = this.#init;
    const former = from === undefined ? undefined : this.#connections.get(from);
    const bond = to === undefined ? undefined : this.#connections.get(to);
    if (bond) this.#live.set(peer, bond);
    else this.#live.delete(peer);
    this.#publish();
    if (former) this.#notifyDown(former, this.#endings.get(former.number) ?? MOVED);
    this.#forgetEnded(former);
    if (bond && !former) this.#broadcast({ type: 'BondFormed', value: [bond.id, peer] }, peer);
    if (former && !bond) this.#broadcast({ type: 'BondLost', value: [former.id, peer] }, peer);
    if (!bond) return;
    logger.info({ peer, bond: bond.id, rttMs: bond.rttMs }, 'bond formed');
    bond.start(this.#greeting(peer));
    this.#notifyUp(bond);
  }

  /** A group's mistake must not keep the table's other effects from happening. */
  #notifyUp(bond: BondConnection): void {
    try {
      this.#init.onBondUp(bond);
    } catch (error) {
      this.#init.logger.error({ peer: bond.peer, error }, 'onBondUp threw');
    }
  }

  #notifyDown(bond: BondConnection, reason: BondDownReason): void {
    try {
      this.#init.onBondDown(bond, reason);
    } catch (error) {
      this.#init.logger.error({ peer: bond.peer, error }, 'onBondDown threw');
    }
  }

  /** Everything that a new bond should know first: which bonds there are, and who this node is by now. */
  #greeting(peer: PeerId): BondMessage[] {
    const messages: BondMessage[] = [];
    for (const [other, { id }] of this.#live)
      if (other !== peer) messages.push({ type: 'BondFormed', value: [id, other] });
    messages.push({ type: 'PeerEntryUpdate', value: this.#init.directory.local.value });
    return messages;
  }

  #broadcast(message: BondMessage, except?: PeerId): void {
    for (const bond of [...this.#connections.values()]) if (bond.peer !== except) bond.sendMessage(message);
  }

  readonly #owner: BondOwner = {
    // A connection that another took the place of may still carry what was sent before that: it must not come after it.
    handleRaft: (bond, message) => {
      if (this.#live.get(bond.peer) === bond) this.#init.onRaft(bond.peer, message);
    },
    handleEntry: (bond, entry) => {
      this.#init.directory.feed(entry, { fromSubject: entry.entry.peerId === bond.peer, vouched: true });
    },
    handleAnnounced: (bond) => {
      if (this.#live.get(bond.peer) === bond) this.#publish();
    },
    handleEnded: (bond, reason) => {
      this.#endings.set(bond.number, reason);
      const { code: closeCode, departed } = reason;
      this.#handle({ type: 'lost', connection: bond.number, closeCode, departed });
      if (this.#live.get(bond.peer) !== bond) this.#forgetEnded(bond);
    },
    handleDue: () => {
      for (const bond of [...this.#connections.values()]) bond.handleTick();
    },
    admit: (bond) => this.#admit(bond.peer),
  };

  #forgetEnded(bond: BondConnection | undefined): void {
    if (!bond?.ended) return;
    this.#connections.delete(bond.number);
    this.#endings.delete(bond.number);
  }

  /** A newer entry of anybody, from wherever: whether the peer is to be dialled, and still allowed, may have changed. */
  #handleEntry(signed: SignedPeerEntry): void {
    this.#handle({ type: 'entry', entry: signed });
    for (const bond of [...this.#connections.values()])
      if (bond.peer === signed.entry.peerId) bond.recheckAdmission();
  }

  async #admitProven(peer: PeerId, incarnation: bigint, dialled: boolean): Promise<BondAdmission> {
    const nowMs = this.#init.clock.nowMs();
    const refusal = this.#table.refusal(peer, dialled, incarnation, nowMs);
    if (refusal) return { closeCode: refusal.code, reason: refusal.reason };
    return this.#admit(peer);
  }

  async #admit(peer: PeerId): Promise<BondAdmission> {
    const { admission, logger, metrics } = this.#init;
    const entry = this.#entry(peer);
    if (!entry) return { closeCode: CloseCode.UnknownPeer, reason: 'not in the catalog of this peer' };
    const verdict = await admission(entry);
    if (verdict.ok !== true) {
      logger.warn({ peer, code: verdict.closeCode, reason: verdict.reason }, 'peer is not admitted');
      metrics.count('mosaik.groups.bonds.admission.refusals', this.#labels);
    }
    return verdict;
  }

  #bondEntries(): SignedPeerEntry[] {
    return [...this.#live.keys()].flatMap((peer) => this.#entry(peer) ?? []);
  }

  /** Discovery forgets peers that are silent; bonds do not depend on that. */
  #entry(peer: PeerId): SignedPeerEntry | undefined {
    return this.#init.directory.entry(peer) ?? this.#table.entry(peer);
  }

  #publish(): void {
    const { groupKey, endpoint, metrics } = this.#init;
    const announcements = new Map([...this.#live].map(([peer, bond]) => [peer, bond.announced]));
    const topology = () =>
      deriveEdges(endpoint.id, announcements).map((peers) => ({
        id: deriveBondId(groupKey, ...peers),
        peers,
      }));
    metrics.gauge('mosaik.groups.bonds.active', this.#live.size, this.#labels);
    this.#bonds.set(new Bonds(this.#live.values(), topology));
  }

  #arm(): void {
    this.#timer?.cancel();
    const { clock } = this.#init;
    const dueMs = this.#table.nextDeadlineMs();
    if (dueMs === undefined || this.#isClosing) return;
    this.#timer = clock.schedule(dueMs - clock.nowMs(), () => this.#handle({ type: 'tick' }));
  }
}
