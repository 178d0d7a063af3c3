import type { PeerId, RaftBody, SnapshotOffer } from '@mosaik/wire';
import { sameEpoch } from '../epoch.ts';
import { type EntryRun, entryMemory } from '../log.ts';
import type { Peer } from '../peer.ts';
import { handleAppend, take } from '../roles/follower.ts';
import { requestAppends } from '../roles/rejection.ts';
import type { RaftState } from '../state.ts';
import { Download, sameOffer } from './download.ts';
import { ParallelFetch } from './parallel-fetch.ts';
import { epochIn, isOfRun } from './plan.ts';
import { sameBytes } from './serve.ts';
import { Source } from './source.ts';
import { askForPlan, createSync, release, type Sync, stallMs } from './sync-state.ts';

type Of<T extends RaftBody['type']> = Extract<RaftBody, { type: T }>;

const MAX_BUFFERED_BYTES = 16 * 1024 * 1024;
const RANGES_PER_SOURCE = 8;
/** A source that stalled is left alone for so many times as long as that took to notice. */
const REST_FACTOR = 4;
/** So many times as long the group's own way to transfer state has for all of it. */
const STATE_FACTOR = 30;

export function handleSyncPlan(s: RaftState, from: PeerId, plan: Of<'SyncPlan'>, nowMs: number): void {
  if (s.role !== 'follower' || s.leader !== from || !s.epoch || !sameEpoch(plan.epoch, s.epoch)) return;
  s.sync ??= createSync(s, s.epoch);
  const { sync } = s;
  const begun = sync.plan !== undefined;
  sync.plan = plan;
  sync.target = Math.max(sync.target, plan.commit);
  // A later word of the leader changes what is right, not what is under way.
  if (begun && (!sync.download || sync.download.offer.index >= plan.base)) return;
  // What they were asked for is asked of others, also by whoever goes on with the download later.
  for (const source of sync.sources.values()) release(sync, source);
  sync.sources.clear();
  sync.waitsUntilMs = nowMs + stallMs(s) / 2;
  for (const peer of s.peers.values()) askForOffer(s, sync, peer);
}

/** A bond formed while this member catches up: one more source, perhaps. */
export function handleSyncPeer(s: RaftState, peer: Peer): void {
  if (s.sync?.plan) askForOffer(s, s.sync, peer);
}

export function handleSyncPeerGone(s: RaftState, peer: PeerId, nowMs: number): void {
  const { sync } = s;
  const source = sync?.sources.get(peer);
  if (!sync || !source) return;
  release(sync, source);
  sync.sources.delete(peer);
  pump(s, sync, nowMs);
}

function askForOffer(s: RaftState, sync: Sync, peer: Peer): void {
  if (s.isForeign(peer) || peer.status?.stopped) return;
  sync.sources.set(peer.id, new Source(peer.id, peer.id === sync.epoch.leader));
  s.send(peer.id, { type: 'SyncQuery' });
}

export function handleSyncOffer(s: RaftState, from: PeerId, offer: Of<'SyncOffer'>, nowMs: number): void {
  const { sync } = s;
  const source = sync?.sources.get(from);
  if (!sync?.plan || !source) return;
  source.offered = true;
  source.base = offer.base;
  source.commit = offer.commit;
  source.snapshot = offer.snapshot;
  if (isUnderWay(sync)) pump(s, sync, nowMs);
  else if ([...sync.sources.values()].every(({ offered }) => offered)) proceed(s, sync, nowMs);
}

function isUnderWay(sync: Sync): boolean {
  return (
    sync.ranges !== undefined ||
    (sync.download !== undefined && sync.waitsUntilMs === Number.POSITIVE_INFINITY)
  );
}

/** Decides what to fetch next, from where the logs agree. */
function proceed(s: RaftState, sync: Sync, nowMs: number): void {
  const { plan } = sync;
  if (!plan) return;
  sync.waitsUntilMs = Number.POSITIVE_INFINITY;
  sync.ranges = undefined;
  const common = s.log.commonWith(plan.runs, plan.last);
  if (common.index >= Math.max(sync.target, plan.base) || (!common.exact && common.index >= plan.base)) {
    endSync(s, sync, nowMs);
    return;
  }
  if (common.index < plan.base) {
    const offer = chooseOffer(s, sync, plan);
    if (!offer) {
      // The leader's own snapshot may be newer than its plan.
      sync.plan = undefined;
      sync.waitsUntilMs = nowMs + stallMs(s) / 2;
      return;
    }
    if (!sync.download?.matches(offer))
      sync.download = new Download(offer, s.config.limits.syncChunkBytes, s.config.ownStateSync === true);
    s.note('info', 'fetches a snapshot', { index: offer.index, bytes: offer.bytes });
  } else {
    sync.download = undefined;
    sync.ranges = new ParallelFetch({
      at: common.index + 1,
      end: sync.target + 1,
      unit: s.config.limits.syncRangeEntries,
      perSource: RANGES_PER_SOURCE,
      maxBufferedBytes: MAX_BUFFERED_BYTES,
    });
  }
  if (sync.download?.fetch.done) handleFetched(s, sync, sync.download, nowMs);
  else pump(s, sync, nowMs);
}

/**
 * The snapshot that most sources offer alike, of those that are part of the leader's history and that its log continues;
 * the newest of several. One that is on its way already is kept while somebody has it.
 */
function chooseOffer(s: RaftState, sync: Sync, plan: Of<'SyncPlan'>): SnapshotOffer | undefined {
  let best: { offer: SnapshotOffer; count: number } | undefined;
  const offers = [...sync.sources.values()].filter(({ snapshot, lied }) => {
    if (!snapshot || lied || snapshot.index < plan.base || snapshot.index <= s.commit) return false;
    return (
      snapshot.envelopeBytes <= snapshot.bytes && sameEpoch(epochIn(plan, snapshot.index), snapshot.epoch)
    );
  });
  for (const { snapshot: offer } of offers) {
    if (!offer) continue;
    if (sync.download?.matches(offer)) return offer;
    const count = offers.filter(({ snapshot }) => snapshot && sameOffer(snapshot, offer)).length;
    if (!best || count > best.count || (count === best.count && offer.index > best.offer.index))
      best = { offer, count };
  }
  return best?.offer;
}

/** Gives sources work. */
function pump(s: RaftState, sync: Sync, nowMs: number): void {
  const { plan, download, ranges } = sync;
  if (!plan || sync.waitsUntilMs !== Number.POSITIVE_INFINITY) return;
  const sources = [...sync.sources.values()];
  const fetching = ranges ?? download?.fetch;
  if (!fetching) return;
  if (ranges && waitsForMachine(s, sync)) {
    sync.stuckSinceMs = undefined;
    return;
  }
  const firstKnown = plan.runs[0]?.first ?? 1;
  const may = ranges
    ? (source: Source, at: number) =>
        source.base < at && source.commit >= at && (source.leads || at >= firstKnown)
    : (source: Source) => download?.matches(source.snapshot) === true && (download.only ?? source) === source;
  for (const { to, at, end } of fetching.requests(sources, nowMs, may)) {
    if (ranges) s.send(to, { type: 'RangeRequest', from: at, to: end - 1 });
    else if (download)
      s.send(to, { type: 'ChunkRequest', digest: download.offer.digest, offset: at, length: end - at });
  }
  if (fetching.waits || fetching.done) sync.stuckSinceMs = undefined;
  else sync.stuckSinceMs ??= nowMs;
}

/** A witness has no machine to wait for. */
function waitsForMachine(s: RaftState, sync: Sync): boolean {
  return !s.config.witness && sync.unapplied.bytes >= s.config.limits.syncUnappliedBytes;
}

/** The machine has applied up to `to`. */
export function handleSyncApplied(s: RaftState, to: number, nowMs: number): void {
  const { sync } = s;
  if (!sync) return;
  sync.unapplied.handleApplied(to);
  if (sync.ranges) pump(s, sync, nowMs);
}

export function handleRange(s: RaftState, from: PeerId, body: Of<'Range'>, nowMs: number): void {
  const { sync } = s;
  const source = sync?.sources.get(from);
  const end = source && sync?.ranges?.askedEnd(source, body.from);
  if (!sync?.plan || !sync.ranges || !source || end === undefined) return;
  const at = body.from;
  let count = 0;
  let bytes = 0;
  let right = true;
  for (const run of body.entries) {
    right &&=
      run.entries.length > 0 &&
      isOfRun(sync.plan, run.epoch, at + count, at + count + run.entries.length - 1);
    count += run.entries.length;
    for (const entry of run.entries) bytes += entryMemory(entry);
  }
  if (!right || at + count > end) {
    handleLie(s, sync, source, 'entries that are not the leader’s');
  } else if (count === 0) {
    source.base = Math.max(source.base, end);
    sync.ranges.handleFailure(source, at);
  } else {
    source.handleAlive(nowMs);
    sync.ranges.handleAnswer(source, at, at + count, bytes, body.entries);
    if (!deliver(s, sync, sync.ranges)) return;
  }
  if (sync.ranges.done) proceed(s, sync, nowMs);
  else pump(s, sync, nowMs);
}

/** Appends what is there in order: committed, as far as the leader's run table tells. False when that cannot be. */
function deliver(s: RaftState, sync: Sync, ranges: ParallelFetch<EntryRun[]>): boolean {
  for (let piece = ranges.take(); piece; piece = ranges.take()) {
    if (s.log.last < piece.at - 1) throw new Error(`a range from ${piece.at} behind ${s.log.last}`);
    const last = take(s, piece.at - 1, { epoch: sync.epoch, side: s.followedSide, entries: piece.value });
    if (last === undefined) return false;
    if (last > s.matched) s.matched = last;
    s.commitTo(last);
    sync.unapplied.add(last, piece.bytes);
    s.ackDue = true;
  }
  return true;
}

export function handleChunk(s: RaftState, from: PeerId, body: Of<'Chunk'>, nowMs: number): void {
  const { sync } = s;
  const source = sync?.sources.get(from);
  const download = sync?.download;
  if (!sync?.plan || !download || !source || !download.matches({ ...download.offer, digest: body.digest }))
    return;
  const end = download.fetch.askedEnd(source, body.offset);
  if (end === undefined) return;
  const { length } = body.bytes;
  if (length === 0 || body.offset + length > end) {
    // It took a newer snapshot meanwhile.
    source.snapshot = undefined;
    download.fetch.handleFailure(source, body.offset);
  } else {
    source.handleAlive(nowMs);
    download.fetch.handleAnswer(source, body.offset, body.offset + length, length, body.bytes);
    download.collect();
  }
  if (download.fetch.done) handleFetched(s, sync, download, nowMs);
  else pump(s, sync, nowMs);
}

function handleFetched(s: RaftState, sync: Sync, download: Download, nowMs: number): void {
  if (!download.ownWay) {
    install(s, sync, download, nowMs);
    return;
  }
  download.stateUntilMs = nowMs + STATE_FACTOR * stallMs(s);
  const sources = [...sync.sources.values()].filter(({ snapshot }) => download.matches(snapshot));
  s.emit({ type: 'fetch-state', offer: download.offer, sources: sources.map(({ id }) => id) });
}

/** The group's own way gave the machine's part of a snapshot, or nothing: then it is fetched like any other. */
export function handleState(
  s: RaftState,
  digest: Uint8Array,
  chunks: readonly Uint8Array[] | undefined,
  nowMs: number,
): void {
  const { sync } = s;
  const download = sync?.download;
  if (!sync || download?.stateUntilMs === undefined || !sameBytes(download.offer.digest, digest)) return;
  download.stateUntilMs = undefined;
  if (chunks) {
    download.deliver(chunks);
    install(s, sync, download, nowMs);
  } else {
    download.restart(undefined);
    pump(s, sync, nowMs);
  }
}

function install(s: RaftState, sync: Sync, download: Download, nowMs: number): void {
  if (download.offer.index <= s.commit) {
    // Meanwhile the leader's appends led further.
    sync.download = undefined;
    proceed(s, sync, nowMs);
    return;
  }
  const finished = download.finish();
  if (finished) {
    sync.download = undefined;
    s.interrupted = undefined;
    s.installSnapshot(finished.snapshot, finished.envelope);
    s.headFor(s.followedSide);
    s.matched = finished.snapshot.index;
    s.ackDue = true;
    s.note('info', 'installed a snapshot', { index: finished.snapshot.index });
    proceed(s, sync, nowMs);
    return;
  }
  if (download.ownWay) {
    s.note('warn', 'the state that came is not what was promised', { index: download.offer.index });
    download.restart(undefined);
    pump(s, sync, nowMs);
    return;
  }
  // Whose part was wrong is not known unless there was only one: from now on one after the other is asked.
  const offering = [...sync.sources.values()].filter(({ snapshot }) => download.matches(snapshot));
  const alone = download.only ?? (offering.length === 1 ? offering[0] : undefined);
  if (alone) handleLie(s, sync, alone, 'a snapshot that is not what it promised');
  const next = offering.find(({ lied }) => !lied);
  download.restart(next);
  if (next) pump(s, sync, nowMs);
  else proceed(s, sync, nowMs);
}

function handleLie(s: RaftState, sync: Sync, source: Source, what: string): void {
  s.note('warn', `a source gave ${what}`, { peer: source.id });
  source.lied = true;
  release(sync, source);
}

/** Appends that came meanwhile are taken now, and the leader goes on from where that leads. */
function endSync(s: RaftState, sync: Sync, nowMs: number): void {
  s.sync = undefined;
  s.note('info', 'caught up', { to: s.log.last });
  for (const append of sync.appends) {
    if (!sameEpoch(s.epoch, sync.epoch) || s.sync) return;
    handleAppend(s, sync.epoch.leader, append, nowMs);
  }
  if (sameEpoch(s.epoch, sync.epoch)) requestAppends(s);
}

export function handleSyncTick(s: RaftState, nowMs: number): void {
  const { sync } = s;
  if (!sync) return;
  if (nowMs >= sync.waitsUntilMs) {
    // Whoever has not answered may still, once it is under way.
    if (sync.plan && [...sync.sources.values()].some(({ offered }) => offered)) proceed(s, sync, nowMs);
    else askForPlan(s, sync, nowMs);
    return;
  }
  for (const source of sync.sources.values()) {
    if (nowMs < source.stallsAtMs(stallMs(s))) continue;
    s.note('debug', 'a source stalls', { peer: source.id });
    release(sync, source);
    source.rest(nowMs + REST_FACTOR * stallMs(s));
  }
  const stateUntilMs = sync.download?.stateUntilMs;
  if (sync.download && stateUntilMs !== undefined && nowMs >= stateUntilMs)
    handleState(s, sync.download.offer.digest, undefined, nowMs);
  pump(s, sync, nowMs);
  if (sync.stuckSinceMs !== undefined && nowMs >= sync.stuckSinceMs + stallMs(s)) askForPlan(s, sync, nowMs);
}

export function nextSyncDeadlineMs(s: RaftState): number | undefined {
  const { sync } = s;
  if (!sync) return undefined;
  let next = sync.waitsUntilMs;
  next = Math.min(next, sync.download?.stateUntilMs ?? Number.POSITIVE_INFINITY);
  if (sync.stuckSinceMs !== undefined) next = Math.min(next, sync.stuckSinceMs + stallMs(s));
  for (const source of sync.sources.values()) next = Math.min(next, source.stallsAtMs(stallMs(s)));
  return next;
}
