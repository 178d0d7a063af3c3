import type { LogEntry, PeerId, RaftBody } from '@mosaik/wire';
import type { RefusalReason } from './effect.ts';
import type { RaftState } from './state.ts';

type Refused = Extract<RaftBody, { type: 'Refused' }>;

/** Appends proposals where this member leads, else forwards them to the leader; none while leadership is moving. */
export function handlePropose(
  s: RaftState,
  first: number,
  proposals: readonly Uint8Array[][],
  nowMs: number,
): void {
  const count = proposals.length;
  const { leader, leadership } = s;
  if (s.held.active) {
    s.held.add(s, first, proposals);
    return;
  }
  if (leadership) {
    append(s, proposals, {
      accepted: (offset, taken, index) =>
        s.emit({ type: 'accepted', first: first + offset, count: taken, epoch: leadership.epoch, index }),
      refused: (offset, left, reason) =>
        s.emit({ type: 'refused', first: first + offset, count: left, reason }),
    });
    return;
  }
  const bytes = proposals.reduce((total, run) => total + runBytes(run), 0);
  const reason: RefusalReason | undefined =
    leader === undefined || s.stopped || !s.peers.has(leader)
      ? 'Offline'
      : s.forwards.bytes + bytes > s.config.limits.maxForwardBytes
        ? 'Overloaded'
        : undefined;
  if (reason || leader === undefined) {
    s.emit({ type: 'refused', first, count, reason: reason ?? 'Offline' });
    return;
  }
  const deadlineMs = nowMs + s.config.consensus.forwardTimeoutMs;
  // Several messages, so that each stays within what one append may carry.
  let start = 0;
  let size = 0;
  const flush = (end: number) => {
    if (end === start) return;
    const part = proposals.slice(start, end);
    s.forwards.add({ first: first + start, proposals: part, bytes: size, leader, deadlineMs });
    s.send(leader, { type: 'Forward', first: first + start, proposals: part });
    start = end;
    size = 0;
  };
  for (let i = 0; i < count; i += 1) {
    const added = runBytes(proposals[i] ?? []);
    if (size + added > s.config.limits.maxAppendBytes) flush(i);
    size += added;
  }
  flush(count);
}

/** A follower forwards: the answer says where its commands stand, or why they do not. */
export function handleForward(
  s: RaftState,
  from: PeerId,
  first: number,
  proposals: readonly Uint8Array[][],
  nowMs: number,
): void {
  const { leadership } = s;
  if (s.transfer || (!leadership && nowMs < s.movingUntilMs)) {
    s.send(from, { type: 'Refused', first, count: proposals.length, reason: { type: 'Moving' } });
    return;
  }
  append(s, proposals, {
    accepted: (offset, count, index) => {
      if (leadership)
        s.send(from, { type: 'Forwarded', first: first + offset, count, epoch: leadership.epoch, index });
    },
    refused: (offset, count, reason) =>
      s.send(from, { type: 'Refused', first: first + offset, count, reason: { type: reason } }),
  });
}

/** The leader did not take what was forwarded to it. When it only is leader no more, the next one may. */
export function handleRefused(
  s: RaftState,
  from: PeerId,
  { first, count, reason }: Refused,
  nowMs: number,
): void {
  const proposals = s.forwards.settle(from, first, count);
  if (!proposals) return;
  if (reason.type !== 'Moving') {
    s.emit({ type: 'refused', first, count, reason: reason.type });
    return;
  }
  if (s.leader === from || s.leader === undefined) s.held.start(nowMs + s.electionTimeoutMs);
  handlePropose(s, first, proposals, nowMs);
}

interface Answers {
  accepted(offset: number, count: number, index: number): void;
  refused(offset: number, count: number, reason: RefusalReason): void;
}

/** All in order, until one does not fit. */
function append(s: RaftState, proposals: readonly Uint8Array[][], answers: Answers): void {
  const { leadership } = s;
  const count = proposals.length;
  if (count === 0) return;
  if (!leadership || s.departing || !s.serves) {
    answers.refused(0, count, leadership && !s.departing ? 'NoQuorum' : 'Offline');
    return;
  }
  const { maxUncommittedBytes, maxUncommittedEntries } = s.config.limits;
  const entries: LogEntry[] = [];
  const room = maxUncommittedEntries - (s.log.last - s.commit);
  let taken = 0;
  for (const run of proposals) {
    const bytes = runBytes(run);
    const tooMuch =
      leadership.uncommittedBytes > 0 && leadership.uncommittedBytes + bytes > maxUncommittedBytes;
    if (tooMuch || entries.length + run.length > room) break;
    leadership.uncommittedBytes += bytes;
    const end = run.length - 1;
    for (let i = 0; i < end; i += 1) entries.push({ type: 'CommandMore', value: run[i] as Uint8Array });
    entries.push({ type: 'Command', value: run[end] as Uint8Array });
    taken += 1;
  }
  const index = s.log.last + 1;
  s.appendEntries(leadership.epoch, entries);
  if (taken > 0) answers.accepted(0, taken, index);
  if (taken < count) answers.refused(taken, count - taken, 'Overloaded');
}

function runBytes(run: readonly Uint8Array[]): number {
  let bytes = 0;
  for (const command of run) bytes += command.length + 8;
  return bytes;
}
