import type { PeerId, RaftBody, RaftEpoch } from '@mosaik/wire';
import { type EntryRun, entryBytes } from '../log.ts';
import type { RaftState } from '../state.ts';
import type { Download } from './download.ts';
import type { ParallelFetch } from './parallel-fetch.ts';
import type { Source } from './source.ts';
import { Unapplied } from './unapplied.ts';

type Of<T extends RaftBody['type']> = Extract<RaftBody, { type: T }>;

/**
 * A follower that is far behind, catching up by itself: with a snapshot where the leader's log does not reach back, then
 * with ranges of committed entries from several members; the leader tells by its run table what is right.
 */
export interface Sync {
  readonly epoch: RaftEpoch;
  plan: Of<'SyncPlan'> | undefined;
  /** Entries up to here are fetched; those after it come as appends. */
  target: number;
  readonly sources: Map<PeerId, Source>;
  /** Waits for the plan, or for offers, until then. */
  waitsUntilMs: number;
  download: Download | undefined;
  ranges: ParallelFetch<EntryRun[]> | undefined;
  readonly unapplied: Unapplied;
  /** Since when nobody could be asked for what is missing. */
  stuckSinceMs: number | undefined;
  /** Appends of the leader that came meanwhile; they are not acknowledged. */
  readonly appends: Of<'Append'>[];
  appendBytes: number;
}

/** Asks the leader how to catch up. */
export function beginSync(s: RaftState, nowMs: number): void {
  if (!s.epoch) return;
  s.sync ??= createSync(s, s.epoch);
  askForPlan(s, s.sync, nowMs);
}

export function createSync(s: RaftState, epoch: RaftEpoch): Sync {
  s.note('info', 'catches up', { from: s.log.last });
  s.emit({ type: 'count', name: 'mosaik.groups.raft.syncs' });
  return {
    epoch,
    plan: undefined,
    target: 0,
    sources: new Map(),
    waitsUntilMs: 0,
    download: s.interrupted,
    ranges: undefined,
    unapplied: new Unapplied(),
    stuckSinceMs: undefined,
    appends: [],
    appendBytes: 0,
  };
}

export function askForPlan(s: RaftState, sync: Sync, nowMs: number): void {
  sync.plan = undefined;
  sync.ranges = undefined;
  sync.stuckSinceMs = undefined;
  sync.waitsUntilMs = nowMs + stallMs(s);
  s.send(sync.epoch.leader, { type: 'SyncRequest', epoch: sync.epoch });
}

/** Keeps an append for when what comes before it is here; beyond the bound it will be asked for again. */
export function bufferAppend(s: RaftState, sync: Sync, body: Of<'Append'>): void {
  if (body.entries.length === 0) return;
  let bytes = 0;
  for (const run of body.entries) for (const entry of run.entries) bytes += entryBytes(entry);
  if (sync.appendBytes + bytes > 2 * s.config.limits.maxInflightBytes) return;
  sync.appends.push(body);
  sync.appendBytes += bytes;
}

/** Its leader is gone: what was fetched of a snapshot is kept, for whoever offers the same. */
export function abandonSync(s: RaftState): void {
  const { sync } = s;
  if (!sync) return;
  for (const source of sync.sources.values()) release(sync, source);
  if (sync.download) sync.download.only = undefined;
  s.interrupted = sync.download;
  s.sync = undefined;
}

/** It is asked no more for what it was asked. */
export function release(sync: Sync, source: Source): void {
  sync.ranges?.release(source);
  sync.download?.fetch.release(source);
  if (sync.download?.only === source) sync.download.only = undefined;
  source.asked = 0;
}

/** So long without an answer, and a source is taken not to answer. */
export function stallMs(s: RaftState): number {
  return s.electionTimeoutMs;
}
