import type { RaftMember } from '@mosaik/wire';
import { MAX_VIEW } from './config.ts';
import { isPresent } from './electorate.ts';
import type { Leadership } from './leadership.ts';
import { proposeSet } from './prospect.ts';
import { changeSet, isSettled } from './set-change.ts';
import type { RaftState } from './state.ts';

/**
 * Lets the set follow what happens to its members: one per entry, and only when the last change and an entry of this
 * epoch are committed. A view follows the bonds (consensus D3), never for slowness; of a fixed set only a voter that
 * came back having forgotten leaves, and whoever is listed counts once it is level.
 */
export function maybeChangeView(s: RaftState, nowMs: number): void {
  const { leadership } = s;
  if (!leadership || s.transfer || s.yielding || !isSettled(s, leadership)) return;
  const { members } = s.log;
  const gone = members.find((member) => member.peer !== s.localId && isGone(s, leadership, member, nowMs));
  if (gone) {
    // A voter that forgot stays one, to be admitted again.
    const learners = s.dynamic ? [] : [...s.log.learners, gone.peer];
    const rest = members.filter((member) => member !== gone);
    changeSet(s, leadership, rest, learners);
    s.note('info', 'removes a member', { peer: gone.peer, members: rest.length });
    return;
  }
  if (leadership.suspendedSinceMs !== undefined || leadership.prospect || members.length >= MAX_VIEW) return;
  for (const peer of s.peers.values()) {
    const progress = leadership.progress.get(peer.id);
    if (!progress?.engaged || !peer.status || peer.status.observer || peer.status.stopped) continue;
    if (
      (!s.dynamic && !s.log.learners.includes(peer.id)) ||
      members.some((member) => member.peer === peer.id)
    )
      continue;
    if (progress.match < s.commit || progress.match === 0) continue;
    const added = { peer: peer.id, incarnation: peer.incarnation };
    const learners = s.log.learners.filter((id) => id !== peer.id);
    const next = { members: [...members, added], learners, asker: undefined };
    if (s.dynamic) {
      changeSet(s, leadership, next.members, learners);
      s.note('info', 'adds a member', { peer: peer.id, members: next.members.length });
    } else proposeSet(s, leadership, next, nowMs);
    return;
  }
}

/**
 * It came back having forgotten; or, where the set is a view, it said goodbye, or was away or elsewhere for an election
 * timeout.
 */
function isGone(s: RaftState, leadership: Leadership, member: RaftMember, nowMs: number): boolean {
  const peer = s.peers.get(member.peer);
  // Until it has spoken, all that is known of its incarnation is what its store was when it was opened.
  if (peer?.status && peer.incarnation !== member.incarnation) return true;
  if (leadership.progress.get(member.peer)?.forgot) return true;
  if (!s.dynamic) return false;
  if (peer) {
    if (peer.status?.stopped) return true;
    const progress = leadership.progress.get(member.peer);
    const answers = progress?.engaged && nowMs - progress.lastAckMs < s.electionTimeoutMs;
    if (answers || isPresent(s, peer)) return false;
    const since = Math.max(peer.foreignSinceMs ?? nowMs, leadership.sinceMs);
    return nowMs - since >= s.electionTimeoutMs;
  }
  const lost = s.lost.get(member.peer);
  if (lost?.departed && lost.incarnation === member.incarnation) return true;
  return nowMs - Math.max(lost?.sinceMs ?? 0, leadership.sinceMs) >= s.electionTimeoutMs;
}
