import { type PeerId, type RaftBody, SnapshotEnvelope } from '@mosaik/wire';
import type { StoredSnapshot } from '../storage/log-storage.ts';
import { isMember, sameEpoch } from './epoch.ts';
import type { Leadership } from './leadership.ts';
import { entryMemory } from './log.ts';
import { isSettled } from './set-change.ts';
import { holdSnapshot } from './snapshot.ts';
import type { RaftState } from './state.ts';
import { isWitness } from './witness.ts';

type Retain = Extract<RaftBody, { type: 'Retain' }>;

/** Entries by which what the data voters hold goes on before a witness hears of it, unless a heartbeat is due. */
const TELL_ENTRIES = 1024;
/** What is left of the bound once it made a witness give up entries, so that not each further one does. */
const LEFT_OF_BOUND = 7 / 8;
const NO_SESSIONS = new Uint8Array();

/** What a witness keeps of its log. */
export class WitnessRetention {
  /** Every data voter held the log up to here when the leader last said so; at first, what was given up by then. */
  told: number;
  /** Commit index at the end of the last turn: what went on since may still be in use. */
  settled: number;
  /** Of the log that the following is counted for. */
  base = 0;
  /** Bytes of the entries after the base up to `counted`. */
  bytes = 0;
  counted = 0;
  /** Of those of them up to `held`, which every data voter holds. */
  heldBytes = 0;
  held = 0;
  /** Why it may be of less use than it should, when last looked at. */
  problem: string | undefined;

  constructor(base: number, commit: number) {
    this.told = base;
    this.settled = commit;
    this.restart(base);
  }

  restart(base: number): void {
    this.base = base;
    this.bytes = 0;
    this.counted = base;
    this.heldBytes = 0;
    this.held = base;
  }
}

/** The leader tells a witness how far every data voter holds the log: `due`, or once that has gone on by much. */
export function tellWitness(s: RaftState, leadership: Leadership, due: boolean): void {
  const { quorum } = s.config.consensus;
  if (quorum.type !== 'Voters') return;
  for (const witness of quorum.witnesses) {
    const progress = leadership.progress.get(witness);
    if (!progress?.engaged) continue;
    const index = heldByDataVoters(s, leadership);
    if (index === undefined || index < progress.sentRetain + (due ? 1 : TELL_ENTRIES)) continue;
    progress.sentRetain = index;
    s.send(witness, { type: 'Retain', epoch: leadership.epoch, index });
  }
}

/**
 * Up to where every data voter of the set holds the log durably, and it is committed. Undefined while that is not known
 * of each of them, or while a change of the set may still be taken back: whoever it removes may be needed again.
 */
function heldByDataVoters(s: RaftState, leadership: Leadership): number | undefined {
  if (!isSettled(s, leadership)) return undefined;
  let index = s.commit;
  for (const { peer, incarnation } of s.log.members) {
    if (isWitness(s, peer)) continue;
    const progress = leadership.progress.get(peer);
    if (peer === s.localId) index = Math.min(index, s.durable);
    else if (progress?.incarnation !== incarnation || !progress.engaged || progress.forgot) return undefined;
    else index = Math.min(index, progress.match);
  }
  return index;
}

export function handleRetain(s: RaftState, from: PeerId, { epoch, index }: Retain): void {
  if (!s.witness || s.role !== 'follower' || s.leader !== from || !sameEpoch(epoch, s.epoch)) return;
  s.witness.told = index;
}

/** At the end of a turn: gives up what every data voter holds, and beyond the bound whatever is oldest. */
export function pruneWitness(s: RaftState): void {
  const { witness } = s;
  if (!witness) return;
  if (s.leadership) witness.told = heldByDataVoters(s, s.leadership) ?? witness.told;
  // A write of these entries that is still to come must find them.
  const most = Math.min(witness.settled, s.commit, s.durable);
  witness.settled = s.commit;
  count(s, witness, most);
  const to = chooseBase(s, witness);
  if (to !== undefined) giveUp(s, witness, to);
  const problem = describeLacking(s);
  if (problem === witness.problem) return;
  if (problem !== undefined && witness.problem === undefined) s.note('warn', problem);
  witness.problem = problem;
  s.changed();
}

function count(s: RaftState, witness: WitnessRetention, most: number): void {
  if (witness.base !== s.log.base) witness.restart(s.log.base);
  while (witness.counted < most) {
    witness.counted += 1;
    witness.bytes += bytesAt(s, witness.counted);
  }
  const held = Math.min(witness.told, witness.counted);
  while (witness.held < held) {
    witness.held += 1;
    witness.heldBytes += bytesAt(s, witness.held);
  }
}

/** The new base, which may be the old one without what came with it; undefined to leave everything as it is. */
function chooseBase(s: RaftState, witness: WitnessRetention): number | undefined {
  const { witnessRetentionBytes, witnessPruneBytes } = s.config.limits;
  const state = machineBytes(s);
  // A snapshot of others is kept for whoever needs it, as entries are.
  const isStateHeld = state > 0 && witness.told >= s.log.base;
  if (isStateHeld || witness.heldBytes >= witnessPruneBytes) return witness.held;
  let left = witness.bytes;
  if (left + state <= witnessRetentionBytes) return undefined;
  let to = s.log.base;
  while (left > witnessRetentionBytes * LEFT_OF_BOUND && to < witness.counted) {
    to += 1;
    left -= bytesAt(s, to);
  }
  return to > s.log.base || state > 0 ? to : undefined;
}

/** Only what the entries up to `to` came to is kept: the run table and the set. */
function giveUp(s: RaftState, witness: WitnessRetention, to: number): void {
  const epoch = s.log.epochAt(to);
  if (!epoch) return;
  for (let index = s.log.base + 1; index <= to; index += 1) {
    witness.bytes -= bytesAt(s, index);
    if (index <= witness.held) witness.heldBytes -= bytesAt(s, index);
  }
  witness.held = Math.max(witness.held, to);
  witness.base = to;
  const envelope = SnapshotEnvelope.encode(s.log.envelopeAt(to, NO_SESSIONS));
  s.keepSnapshot(holdSnapshot({ index: to, epoch, envelope, chunks: [] }), to);
  s.note('debug', 'gives up entries', { to, held: witness.told });
}

function bytesAt(s: RaftState, index: number): number {
  const entry = s.log.entryAt(index);
  return entry ? entryMemory(entry) : 0;
}

/** Of a snapshot that others took and this witness installed. */
function machineBytes({ snapshot }: RaftState): number {
  return snapshot && hasMachinePart(snapshot) ? snapshot.bytes : 0;
}

/** Whether others can be given this snapshot: a witness's own stands for entries that nobody misses. */
export function hasMachinePart({ chunks }: StoredSnapshot): boolean {
  return chunks.length > 0;
}

/** What a witness cannot do any more, because of what it gave up. */
export function describeLacking(s: RaftState): string | undefined {
  const { witness, leadership } = s;
  const { base } = s.log;
  if (!witness || base === 0 || machineBytes(s) > 0) return undefined;
  const behind = leadership ? dataVotersBehind(s, leadership, base) : [];
  if (behind.length > 0)
    return (
      `degraded: this witness leads and gave up the entries up to ${base} that ${behind.join(', ')} lacks; ` +
      'nothing can be committed until a data voter that has them is back'
    );
  if (witness.told >= base) return undefined;
  return (
    `degraded: this witness keeps witnessRetentionBytes, and gave up the entries up to ${base}, of which a data voter ` +
    `has none after ${witness.told}; until it has caught up, the group stands still without those that have them`
  );
}

function dataVotersBehind(s: RaftState, leadership: Leadership, base: number): PeerId[] {
  const behind: PeerId[] = [];
  for (const [peer, progress] of leadership.progress) {
    if (!progress.engaged || progress.match >= base || isWitness(s, peer)) continue;
    if (isMember(s.log.members, peer, progress.incarnation)) behind.push(peer);
  }
  return behind;
}
