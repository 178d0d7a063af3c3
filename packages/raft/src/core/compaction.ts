import { sameEpoch } from './epoch.ts';
import { entryMemory } from './log.ts';
import type { HeldSnapshot } from './snapshot.ts';
import type { RaftState } from './state.ts';

/** A snapshot was taken here: it stands for the entries up to its index, of which a tail is kept (Raft §7). */
export function handleSnapshot(s: RaftState, snapshot: HeldSnapshot): void {
  const { index, epoch } = snapshot;
  // Meanwhile a newer one was installed, or this member moved to another history.
  if (index <= (s.snapshot?.index ?? 0) || index > s.commit) return;
  if (!sameEpoch(s.log.epochAt(index), epoch)) return;
  s.keepSnapshot(snapshot, retainFrom(s, index));
  s.note('debug', 'keeps a snapshot', { index, bytes: snapshot.bytes, base: s.log.base });
}

/** Up to where entries are given up: those behind it, up to a snapshot's index, fit into what is to be retained. */
function retainFrom(s: RaftState, index: number): number {
  const { retainBytes, revertHorizonBytes, syncRetainBytes } = s.config.limits;
  const horizon = s.dynamic ? secondForced(s) : Number.POSITIVE_INFINITY;
  // A member that catches up was promised what is here now.
  const syncs = [...(s.leadership?.progress.values() ?? [])].some(({ syncTo }) => syncTo > 0);
  const least = syncs ? Math.max(retainBytes, syncRetainBytes) : retainBytes;
  let bytes = 0;
  let from = index;
  while (from > s.log.base) {
    const entry = s.log.entryAt(from);
    bytes += entry ? entryMemory(entry) : 0;
    if (bytes > (from >= horizon ? Math.max(least, revertHorizonBytes) : least)) break;
    from -= 1;
  }
  return from;
}

/** Where the last forced epoch but one begins, or what is known of it (consensus D8). */
function secondForced(s: RaftState): number {
  const side = s.log.sides()[1] ?? s.log.side;
  const runs = s.log.runsUpTo(s.log.last);
  return runs.find(({ epoch }) => sameEpoch(epoch, side))?.first ?? 0;
}
