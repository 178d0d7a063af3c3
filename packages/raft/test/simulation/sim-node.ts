import type { CommandEntry, PeerId } from '@mosaik/wire';
import type { RaftCore } from '../../src/core/raft-core.ts';
import { SessionTable } from '../../src/sessions/session-table.ts';
import { SimStore } from './store.ts';

/** One member: its core while it runs, its store always. */
export interface SimNode {
  readonly index: number;
  readonly id: PeerId;
  store: SimStore;
  core: RaftCore;
  alive: boolean;
  /** As its store was when it was opened: what handshakes say, whatever became of it since. */
  bootIncarnation: bigint;
  /** Rises with every start, so that what belonged to an earlier life is dropped. */
  life: number;
  applied: number;
  /** Of everything that was applied, in order. */
  hash: string;
  commands: number;
  /** Which commands of sessions were applied. */
  readonly sessions: SessionTable;
  /** Whether the command that was applied last had its effect; undefined when that came with a snapshot. */
  admitted: boolean | undefined;
  /** Commands that it said it gave up. */
  reverted: string[];
  drainAtMs: number | undefined;
  tickAtMs: number;
  nextCall: number;
  readonly calls: Map<number, Call>;
  readonly waiting: Call[];
  readonly reads: Map<number, Read>;
  handedOver: boolean;
  /** How much faster than true time its clock runs, and by how much its wall clock is off. */
  clockRate: number;
  clockOffsetMs: number;
  wallSkewMs: number;
  /** The process stands still until then: whatever happens meanwhile comes all at once, in order. */
  pausedUntilMs: number;
  readonly inbox: (() => void)[];
  /** The next write fails, and ends the process as the driver would. */
  failsToSync: boolean;
  /** How much longer than usual a sync takes. */
  slowSyncs: number;
}

/** A linearizable read on its way. */
export interface Read {
  /** Acknowledged before it was asked. */
  readonly floor: number;
  readonly key: string;
}

/** A command on its way. */
export interface Call {
  /** The command as text, different from all others. */
  readonly value: string;
  from: number;
  nonce: bigint;
  state: 'sent' | 'accepted' | 'done' | 'failed' | 'unknown';
}

export function createNode(index: number): SimNode {
  return {
    index,
    id: peerId(index),
    store: new SimStore(),
    core: undefined as never,
    alive: false,
    bootIncarnation: 0n,
    life: 0,
    applied: 0,
    hash: '',
    commands: 0,
    sessions: new SessionTable(64),
    admitted: undefined,
    reverted: [],
    drainAtMs: undefined,
    tickAtMs: Number.POSITIVE_INFINITY,
    nextCall: 1,
    calls: new Map(),
    waiting: [],
    reads: new Map(),
    handedOver: false,
    clockRate: 1,
    clockOffsetMs: 0,
    wallSkewMs: 0,
    pausedUntilMs: 0,
    inbox: [],
    failsToSync: false,
    slowSyncs: 1,
  };
}

/** Everything that a process keeps in memory begins anew; its store does not. */
export function beginLife(node: SimNode): void {
  node.alive = true;
  node.life += 1;
  node.applied = 0;
  node.hash = '';
  node.commands = 0;
  node.sessions.restore(new Uint8Array());
  node.reverted = [];
  node.waiting.length = 0;
  node.calls.clear();
  node.reads.clear();
  node.handedOver = false;
  node.pausedUntilMs = 0;
  node.inbox.length = 0;
  node.failsToSync = false;
  node.tickAtMs = Number.POSITIVE_INFINITY;
  node.drainAtMs = undefined;
}

/** What commands without a session name instead: the first entry of a log is an opening, so none has this name. */
export const NO_SESSION = 1;

export function isInSession({ session }: CommandEntry): boolean {
  return session !== NO_SESSION;
}

export function peerId(index: number): PeerId {
  return index.toString(16).padStart(2, '0').repeat(32) as PeerId;
}

export function nameOf(peer: PeerId | undefined): string {
  return peer === undefined ? '-' : `n${Number.parseInt(peer.slice(0, 2), 16)}`;
}

export function describeNode({ index, core, alive }: SimNode): string {
  const s = core?.state;
  if (!s) return `n${index} never started`;
  const { log } = s;
  const view = log.members.map(({ peer, incarnation }) => {
    const known = peer === s.localId || s.peers.get(peer)?.incarnation === incarnation;
    return `${nameOf(peer)}${known ? '' : '!'}`;
  });
  return (
    `n${index}${alive ? '' : ' DEAD'} ${s.stopped ?? s.role} t${s.term} commit ${s.commit}/${log.last} ` +
    `leader ${nameOf(s.leader)} side ${log.side?.nonce.toString(16).slice(0, 4) ?? '-'} ` +
    `view [${view.join(' ')}] bonds [${[...s.peers.keys()].map(nameOf).join(' ')}]` +
    `${s.counted ? '' : ' joining'} ${s.problem ?? ''}`
  );
}
