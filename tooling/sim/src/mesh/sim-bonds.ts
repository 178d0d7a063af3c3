import {
  BondCore,
  type BondEffect,
  type BondInput,
  BondTable,
  type BondTableEffect,
  type BondTableInput,
  deriveEdges,
} from '@mosaik/bonds/testing';
import type { GroupKey } from '@mosaik/handshake';
import { AcceptorCore, type HandshakeMachine, InitiatorCore } from '@mosaik/handshake/testing';
import {
  type BondId,
  type BondMessage,
  CloseCode,
  type GroupId,
  type NetworkId,
  type PeerId,
  type SignedPeerEntry,
} from '@mosaik/wire';
import type { Rng } from '@mosaik/wire/runtime';
import type { PipeEnd, PipeLane } from './pipes.ts';
import type { SimDiscovery } from './sim-discovery.ts';

const HANDSHAKE_TIMEOUT_MS = 5000;

export interface BondsPorts {
  readonly localId: PeerId;
  readonly networkId: NetworkId;
  readonly groupId: GroupId;
  readonly groupKey: GroupKey;
  bondIdOf(a: PeerId, b: PeerId): BondId;
  readonly rng: Rng;
  readonly heartbeatIntervalMs: number;
  readonly heartbeatJitterMs: number;
  readonly maxMissedHeartbeats: number;
  incarnation(): bigint;
  nowMs(): number;
  after(delayMs: number, run: () => void): void;
  dial(address: string, done: (end: PipeEnd | undefined) => void): void;
  peerAt(index: number): PeerId;
  /** Of two connections to a peer that are proven at this end, one is closed for the other. */
  onChosen(closed: PipeEnd, kept: PipeEnd): void;
  onUp(peer: PeerId, incarnation: bigint): void;
  onDown(peer: PeerId, departed: boolean): void;
  onRaft(peer: PeerId, message: unknown): void;
}

/** A Raft message as it is: its bytes are for the codec's own tests. */
interface RaftFrame {
  readonly raft: unknown;
}

/** A proven connection and the core that keeps it. */
class SimBond {
  readonly number: number;
  readonly peer: PeerId;
  readonly id: BondId;
  readonly incarnation: bigint;
  readonly end: PipeEnd;
  readonly announced = new Set<PeerId>();
  readonly #core: BondCore;
  readonly #owner: SimBonds;
  readonly #ports: BondsPorts;
  started = false;
  readonly #early: unknown[] = [];
  #armedMs = Number.POSITIVE_INFINITY;
  ended = false;
  departed = false;

  constructor(
    owner: SimBonds,
    ports: BondsPorts,
    init: { number: number; peer: PeerId; end: PipeEnd; incarnation: bigint },
  ) {
    this.#owner = owner;
    this.#ports = ports;
    this.number = init.number;
    this.peer = init.peer;
    this.end = init.end;
    this.incarnation = init.incarnation;
    this.id = ports.bondIdOf(ports.localId, init.peer);
    this.#core = new BondCore(
      {
        peer: init.peer,
        intervalMs: ports.heartbeatIntervalMs,
        jitterMs: ports.heartbeatJitterMs,
        maxMissed: ports.maxMissedHeartbeats,
        rng: ports.rng,
        bondIdOf: ports.bondIdOf,
      },
      ports.nowMs(),
    );
    init.end.onFrame = (frame) => {
      if (this.started) this.#receive(frame);
      else this.#early.push(frame);
    };
    init.end.onClosed = (code) => this.#finish(code, false);
  }

  /** From now on it reads; what came before is read first. */
  start(): void {
    if (this.started || this.ended) return;
    this.started = true;
    for (const frame of this.#early.splice(0)) this.#receive(frame);
    this.#pump();
  }

  send(message: BondMessage): void {
    if (this.ended) return;
    this.#core.handle({ type: 'written' }, this.#ports.nowMs());
    this.end.send(message);
  }

  sendRaft(raft: unknown, lane: PipeLane): boolean {
    if (this.ended) return false;
    if (lane === 'control') this.#core.handle({ type: 'written' }, this.#ports.nowMs());
    this.end.send({ raft } satisfies RaftFrame, lane);
    return true;
  }

  close(code: number, departed = false): void {
    this.#finish(code, departed);
    this.end.close(code);
  }

  recheck(): void {
    this.#handle({ type: 'recheck' });
  }

  #receive(frame: unknown): void {
    if (this.ended) return;
    if (isRaft(frame)) {
      this.#core.handle({ type: 'activity' }, this.#ports.nowMs());
      if (this.#owner.live.get(this.peer) === this) this.#ports.onRaft(this.peer, frame.raft);
    } else this.#handle({ type: 'message', message: frame as Exclude<BondMessage, { type: 'Raft' }> });
  }

  #handle(input: BondInput): void {
    this.#core.handle(input, this.#ports.nowMs());
    this.#pump();
  }

  #pump(): void {
    for (const effect of this.#core.drain()) this.#execute(effect);
    this.#arm();
  }

  #execute(effect: BondEffect): void {
    switch (effect.type) {
      case 'send':
        this.send(effect.message);
        return;
      case 'feed':
        this.#owner.feed(effect.entry, this.peer);
        return;
      case 'announced':
        if (effect.formed) this.announced.add(effect.peer);
        else this.announced.delete(effect.peer);
        return;
      case 'admit':
        this.#core.handle({ type: 'decided', run: effect.run, expiresInMs: undefined }, this.#ports.nowMs());
        return;
      case 'close':
        this.close(effect.code, effect.departed);
    }
  }

  #arm(): void {
    const dueMs = this.#core.nextDeadlineMs();
    if (this.ended || dueMs === undefined || dueMs === this.#armedMs) return;
    this.#armedMs = dueMs;
    this.#ports.after(Math.max(0, dueMs - this.#ports.nowMs()), () => {
      if (this.ended || this.#armedMs !== dueMs) return;
      this.#armedMs = Number.POSITIVE_INFINITY;
      this.#handle({ type: 'tick' });
    });
  }

  #finish(code: number, departed: boolean): void {
    if (this.ended) return;
    this.ended = true;
    this.departed = departed;
    this.#owner.handleEnded(this, code);
  }
}

/** The cores of bonds and handshakes of one member, driven without promises. */
export class SimBonds {
  readonly #ports: BondsPorts;
  readonly #discovery: SimDiscovery;
  readonly #table: BondTable;
  readonly #bonds = new Map<number, SimBond>();
  readonly live = new Map<PeerId, SimBond>();
  #nextNumber = 1;
  #pumping = false;
  #ending = false;
  #armedMs = Number.POSITIVE_INFINITY;

  constructor(ports: BondsPorts, discovery: SimDiscovery) {
    this.#ports = ports;
    this.#discovery = discovery;
    this.#table = new BondTable({
      localId: ports.localId,
      groupId: ports.groupId,
      handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS,
      persistent: [],
      rng: ports.rng,
    });
    for (const entry of discovery.entries()) this.#handle({ type: 'entry', entry });
  }

  handleEntry(entry: SignedPeerEntry): void {
    this.#handle({ type: 'entry', entry });
    for (const bond of [...this.#bonds.values()]) if (bond.peer === entry.entry.peerId) bond.recheck();
  }

  handleLocalEntry(value: SignedPeerEntry): void {
    this.#broadcast({ type: 'PeerEntryUpdate', value });
  }

  feed(entry: SignedPeerEntry, from: PeerId): void {
    this.#discovery.feed(entry, entry.entry.peerId === from);
  }

  send(peer: PeerId, raft: unknown, lane: PipeLane): boolean {
    return this.live.get(peer)?.sendRaft(raft, lane) ?? false;
  }

  /** Somebody dialled: known peer, handshake, admission. */
  accept(end: PipeEnd): void {
    const { peerAt, localId, networkId, groupId, groupKey } = this.#ports;
    const remoteId = peerAt(end.remote);
    if (this.#ending || !this.#discovery.entry(remoteId)) {
      end.close(this.#ending ? CloseCode.GracefulShutdown : CloseCode.UnknownPeer);
      return;
    }
    const core = new AcceptorCore({
      networkId,
      groups: (id) => (id === groupId ? groupKey : undefined),
      sessionSecret: () => end.secret,
      localId,
      remoteId,
      bonds: () => this.#bondEntries(),
      incarnation: () => this.#ports.incarnation(),
      timeoutMs: HANDSHAKE_TIMEOUT_MS,
    });
    this.#handshake(end, core, false, () => {});
  }

  /** Says goodbye to everybody. */
  leave(): void {
    this.#ending = true;
    for (const bond of [...this.#bonds.values()]) {
      bond.send({ type: 'Departure' });
      bond.close(CloseCode.GracefulShutdown);
    }
  }

  /** The mesh as this member sees it. */
  edges(): readonly (readonly [PeerId, PeerId])[] {
    return deriveEdges(
      this.#ports.localId,
      new Map([...this.live].map(([peer, bond]) => [peer, bond.announced])),
    );
  }

  handleEnded(bond: SimBond, closeCode: number): void {
    const { number: connection, departed } = bond;
    this.#handle({ type: 'lost', connection, closeCode, departed });
    if (this.live.get(bond.peer) !== bond) this.#bonds.delete(connection);
  }

  #handshake(
    end: PipeEnd,
    core: HandshakeMachine,
    dialled: boolean,
    failed: (closeCode: number | undefined) => void,
  ): void {
    const { ports, remoteId } = { ports: this.#ports, remoteId: this.#ports.peerAt(end.remote) };
    let over = false;
    const pump = () => {
      for (let effects = core.drain(); effects.length > 0; effects = core.drain()) {
        for (const effect of effects) {
          switch (effect.type) {
            case 'send':
              end.send(effect.frame);
              core.handle({ type: 'sent' }, ports.nowMs());
              break;
            case 'receive':
              break;
            case 'admit': {
              const refusal = this.#table.refusal(remoteId, dialled, effect.incarnation, ports.nowMs());
              if (refusal?.code === CloseCode.AlreadyBonded) this.#handleChosen(remoteId, end);
              const admission = refusal
                ? { ok: false as const, closeCode: refusal.code, reason: refusal.reason }
                : { ok: true as const };
              core.handle({ type: 'decided', admission }, ports.nowMs());
              break;
            }
            case 'done':
              over = true;
              this.#handleProven(end, remoteId, dialled, effect.result);
              break;
            case 'fail':
              over = true;
              end.close(effect.closeCode);
              failed(effect.closeCode);
          }
        }
      }
    };
    end.onFrame = (frame) => {
      core.handle({ type: 'received', frame: frame as Uint8Array }, ports.nowMs());
      pump();
    };
    end.onClosed = (closeCode) => {
      core.handle({ type: 'ended', closeCode, cause: undefined }, ports.nowMs());
      pump();
    };
    ports.after(HANDSHAKE_TIMEOUT_MS + 1, () => {
      if (over) return;
      core.handle({ type: 'tick' }, ports.nowMs());
      pump();
    });
    core.handle({ type: 'begin' }, ports.nowMs());
    pump();
  }

  #handleProven(
    end: PipeEnd,
    peer: PeerId,
    dialled: boolean,
    { incarnation, bonds }: { incarnation: bigint; bonds: readonly SignedPeerEntry[] },
  ): void {
    if (this.#ending) {
      end.close(CloseCode.GracefulShutdown);
      return;
    }
    const bond = new SimBond(this, this.#ports, { number: this.#nextNumber++, peer, end, incarnation });
    this.#bonds.set(bond.number, bond);
    const known = this.#discovery.entry(peer);
    if (known) this.#handle({ type: 'entry', entry: known });
    this.#handle({ type: 'proven', connection: bond.number, peer, dialled, incarnation });
    for (const entry of bonds) this.#discovery.feed(entry, false);
  }

  #bondEntries(): SignedPeerEntry[] {
    return [...this.live.keys()].flatMap((peer) => this.#entry(peer) ?? []);
  }

  #entry(peer: PeerId): SignedPeerEntry | undefined {
    return this.#discovery.entry(peer) ?? this.#table.entry(peer);
  }

  #handle(input: BondTableInput): void {
    this.#table.handle(input, this.#ports.nowMs());
    if (this.#pumping) return;
    this.#pumping = true;
    for (let effects = this.#table.drain(); effects.length > 0; effects = this.#table.drain())
      for (const effect of effects) this.#execute(effect);
    this.#pumping = false;
    this.#arm();
  }

  #execute(effect: BondTableEffect): void {
    switch (effect.type) {
      case 'dial':
        if (this.#ending) return;
        if (!effect.everBonded && !this.#discovery.entry(effect.peer))
          this.#table.handle({ type: 'forgotten', peer: effect.peer }, this.#ports.nowMs());
        else this.#dial(effect.peer, effect.addresses[0] ?? '', true);
        return;
      case 'bond':
        this.#handleMoved(effect);
        return;
      case 'close': {
        const bond = this.#bonds.get(effect.connection);
        if (bond && effect.code === CloseCode.AlreadyBonded) this.#handleChosen(effect.peer, bond.end);
        bond?.close(effect.code);
      }
    }
  }

  #handleChosen(peer: PeerId, closed: PipeEnd): void {
    const kept = this.#bonds.get(this.#table.live(peer) ?? 0)?.end;
    if (kept && kept !== closed) this.#ports.onChosen(closed, kept);
  }

  /** One retry after an exchange of catalogs, where the other did not know this peer yet. */
  #dial(peer: PeerId, address: string, mayRetry: boolean): void {
    const failed = (closeCode: number | undefined) => {
      if (closeCode === CloseCode.UnknownPeer && mayRetry && !this.#ending) {
        this.#discovery.sync(address, (found) => {
          if (found === peer) this.#dial(peer, address, false);
          else this.#handle({ type: 'dial-failed', peer, closeCode });
        });
      } else if (!this.#ending) this.#handle({ type: 'dial-failed', peer, closeCode });
    };
    if (this.live.has(peer)) {
      failed(undefined);
      return;
    }
    this.#ports.dial(address, (end) => {
      if (!end || this.#ending || this.live.has(peer)) {
        end?.close(CloseCode.Cancelled);
        failed(undefined);
        return;
      }
      const { localId, networkId, groupId, groupKey } = this.#ports;
      const core = new InitiatorCore({
        networkId,
        groupId,
        groupKey,
        sessionSecret: end.secret,
        localId,
        remoteId: peer,
        bonds: this.#bondEntries(),
        incarnation: this.#ports.incarnation(),
        timeoutMs: HANDSHAKE_TIMEOUT_MS,
      });
      this.#handshake(end, core, true, failed);
    });
  }

  #handleMoved({ peer, from, to }: Extract<BondTableEffect, { type: 'bond' }>): void {
    const former = from === undefined ? undefined : this.#bonds.get(from);
    const bond = to === undefined ? undefined : this.#bonds.get(to);
    if (bond) this.live.set(peer, bond);
    else this.live.delete(peer);
    if (former) this.#ports.onDown(peer, former.departed);
    if (former?.ended) this.#bonds.delete(former.number);
    if (bond && !former) this.#broadcast({ type: 'BondFormed', value: [bond.id, peer] }, peer);
    if (former && !bond) this.#broadcast({ type: 'BondLost', value: [former.id, peer] }, peer);
    if (!bond) return;
    if (!bond.started) {
      for (const [other, { id }] of this.live)
        if (other !== peer) bond.send({ type: 'BondFormed', value: [id, other] });
      bond.send({ type: 'PeerEntryUpdate', value: this.#discovery.local });
    }
    this.#ports.onUp(peer, bond.incarnation);
    bond.start();
  }

  #broadcast(message: BondMessage, except?: PeerId): void {
    for (const bond of this.#bonds.values()) if (bond.started && bond.peer !== except) bond.send(message);
  }

  #arm(): void {
    const dueMs = this.#table.nextDeadlineMs();
    if (dueMs === undefined || dueMs === this.#armedMs) return;
    this.#armedMs = dueMs;
    this.#ports.after(Math.max(0, dueMs - this.#ports.nowMs()), () => {
      if (this.#armedMs !== dueMs) return;
      this.#armedMs = Number.POSITIVE_INFINITY;
      this.#handle({ type: 'tick' });
    });
  }
}

function isRaft(frame: unknown): frame is RaftFrame {
  return typeof frame === 'object' && frame !== null && 'raft' in frame;
}
