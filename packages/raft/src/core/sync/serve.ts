import { MAX_RAFT_RUNS, MAX_SYNC_CHUNK_BYTES, type PeerId, type RaftBody } from '@mosaik/wire';
import { entryBytes } from '../log.ts';
import { readSnapshot } from '../snapshot.ts';
import type { RaftState } from '../state.ts';
import { hasMachinePart } from '../witness-retention.ts';

type Of<T extends RaftBody['type']> = Extract<RaftBody, { type: T }>;

/** What this member could give one that is behind: only what is committed. */
export function handleSyncQuery(s: RaftState, from: PeerId): void {
  const { snapshot } = s;
  const offered = s.witness && snapshot && !hasMachinePart(snapshot) ? undefined : snapshot;
  s.send(from, {
    type: 'SyncOffer',
    base: s.log.base,
    commit: s.commit,
    snapshot: offered && {
      epoch: offered.epoch,
      index: offered.index,
      envelopeBytes: offered.envelope.length,
      bytes: offered.bytes,
      digest: offered.digest,
    },
  });
}

export function handleRangeRequest(s: RaftState, from: PeerId, request: Of<'RangeRequest'>): void {
  const end = Math.min(request.to, s.commit, request.from + s.config.limits.syncRangeEntries - 1);
  let to = request.from - 1;
  let bytes = 0;
  while (to < end && request.from > s.log.base) {
    const entry = s.log.entryAt(to + 1);
    bytes += entry ? entryBytes(entry) : 0;
    if (!entry || (bytes > s.config.limits.maxAppendBytes && to >= request.from)) break;
    to += 1;
  }
  const entries = to < request.from ? [] : s.log.range(request.from, to).slice(0, MAX_RAFT_RUNS);
  s.send(from, { type: 'Range', from: request.from, entries }, 'bulk');
}

export function handleChunkRequest(s: RaftState, from: PeerId, request: Of<'ChunkRequest'>): void {
  const { digest, offset, length } = request;
  const { snapshot } = s;
  const bytes =
    snapshot && sameBytes(snapshot.digest, digest)
      ? readSnapshot(snapshot, offset, Math.min(length, MAX_SYNC_CHUNK_BYTES))
      : new Uint8Array();
  s.send(from, { type: 'Chunk', digest, offset, bytes }, 'bulk');
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
