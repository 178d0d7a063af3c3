import type { LogEntry, PeerId, RaftBody, RaftEpoch, UniqueId } from '@mosaik/wire';
import type { Lane } from '../components.ts';
import type { RefusalReason } from './effect.ts';
import { sameEpoch } from './epoch.ts';
import { SESSION_BYTES } from './log.ts';
import { isMoving } from './moving.ts';
import { batchBytes, type ProposalBatch, part, runBytes } from './proposal-batch.ts';
import type { RaftState } from './state.ts';

type Forward = Extract<RaftBody, { type: 'Forward' }>;
type Refused = Extract<RaftBody, { type: 'Refused' }>;
type OpenSession = Extract<RaftBody, { type: 'OpenSession' }>;

/** Appends proposals where this member leads, else forwards them to the leader; none while leadership is moving. */
export function handlePropose(s: RaftState, batch: ProposalBatch, nowMs: number): void {
  const { first, proposals } = batch;
  if (s.held.active) {
    const bytes = batchBytes(batch);
    const successor = s.held.successorFor(s, batch, bytes);
    if (successor) forwardAll(s, successor, batch, nowMs);
    else s.held.add(s, batch, bytes);
    return;
  }
  if (s.leadership) {
    append(s, batch, answerHere(s, first));
    return;
  }
  const target = forwardTarget(s, batchBytes(batch), batch.session);
  if ('reason' in target) s.emit({ type: 'refused', first, count: proposals.length, reason: target.reason });
  else forwardAll(s, target, batch, nowMs);
}

/** In several messages, so that each stays within what one append may carry. */
function forwardAll(s: RaftState, target: ForwardTarget, batch: ProposalBatch, nowMs: number): void {
  const { proposals } = batch;
  let start = 0;
  let size = 0;
  for (let i = 0; i < proposals.length; i += 1) {
    const added = runBytes(proposals[i] ?? []);
    if (size + added > s.config.limits.maxAppendBytes && i > start) {
      forward(s, target, part(batch, start, i), size, nowMs);
      start = i;
      size = 0;
    }
    size += added;
  }
  forward(s, target, part(batch, start, proposals.length), size, nowMs);
}

/** Has an entry appended that opens a session for this life of the member. */
export function handleOpenSession(s: RaftState, number: number, incarnation: bigint, nowMs: number): void {
  const answers = answerHere(s, number);
  if (s.held.active) {
    answers.refused(0, 1, 'Moving');
    return;
  }
  if (s.leadership) {
    appendSession(s, s.localId, incarnation, answers);
    return;
  }
  const target = forwardTarget(s, SESSION_BYTES, 0);
  if ('reason' in target) {
    answers.refused(0, 1, target.reason);
    return;
  }
  const { leader, epoch } = target;
  const deadlineMs = nowMs + s.config.consensus.forwardTimeoutMs;
  s.forwards.add({ batch: opening(number), bytes: SESSION_BYTES, leader, epoch, early: false, deadlineMs });
  s.send(leader, { type: 'OpenSession', epoch, number, incarnation });
}

/** What stands for a session that was asked for: a proposal of no commands. */
function opening(number: number): ProposalBatch {
  return { session: 0, first: number, ackedBelow: 0, keys: [], proposals: [[]] };
}

/** A follower forwards: the answer says where its commands stand, or why they do not. */
export function handleForward(s: RaftState, from: PeerId, body: Forward, nowMs: number): void {
  if (!s.early.keep(s, from, body)) takeForward(s, from, body, nowMs);
}

/** An election was decided: what came together with the votes is taken, or sent back. */
export function flushEarly(s: RaftState, nowMs: number): void {
  for (const { from, body } of s.early.take(s)) takeForward(s, from, body, nowMs);
}

function takeForward(s: RaftState, from: PeerId, body: Forward, nowMs: number): void {
  const answers = answerThere(s, from, body.first);
  // Whoever this member is to succeed may have told the others first.
  if (isMoving(s, nowMs) || (body.epoch.leader === s.localId && body.epoch.term > s.term)) {
    answers.refused(0, body.proposals.length, 'Moving');
    return;
  }
  // What is meant for another epoch may have been sent again since, and names a session that this log may not have.
  if (!sameEpoch(s.leadership?.epoch, body.epoch)) answers.refused(0, body.proposals.length, 'Offline');
  else append(s, body, answers);
}

export function handleForwardedSession(s: RaftState, from: PeerId, body: OpenSession, nowMs: number): void {
  const answers = answerThere(s, from, body.number);
  if (isMoving(s, nowMs)) answers.refused(0, 1, 'Moving');
  else if (!sameEpoch(s.leadership?.epoch, body.epoch)) answers.refused(0, 1, 'Offline');
  else appendSession(s, from, body.incarnation, answers);
}

/** The leader did not take what was forwarded to it. When it only is leader no more, the next one may. */
export function handleRefused(
  s: RaftState,
  from: PeerId,
  { first, count, reason }: Refused,
  nowMs: number,
): void {
  const settled = s.forwards.settle(from, first, count);
  if (!settled) return;
  const { batch, early } = settled;
  if (reason.type !== 'Moving' || batch.proposals[0]?.length === 0) {
    s.emit({ type: 'refused', first, count, reason: reason.type });
    return;
  }
  // A leader that said so before it was one may take it by now.
  if (s.leader === undefined || (s.leader === from && !early)) s.held.start(nowMs + s.electionTimeoutMs);
  handlePropose(s, batch, nowMs);
}

/** Whom proposals are forwarded to, in the epoch that it leads, or will if it is elected. */
export interface ForwardTarget {
  readonly leader: PeerId;
  readonly epoch: RaftEpoch;
  readonly lane?: Lane;
}

function forwardTarget(
  s: RaftState,
  bytes: number,
  session: number,
): ForwardTarget | { reason: RefusalReason } {
  const { leader, epoch } = s;
  if (leader === undefined || epoch === undefined || s.stopped || !s.peers.has(leader))
    return { reason: 'Offline' };
  // The name of a session means the same in its log only if that is known to agree with this one up to there.
  if (s.matched < session) return { reason: 'Moving' };
  if (s.forwards.bytes + bytes > s.config.limits.maxForwardBytes) return { reason: 'Overloaded' };
  return { leader, epoch };
}

function forward(
  s: RaftState,
  { leader, epoch, lane }: ForwardTarget,
  batch: ProposalBatch,
  bytes: number,
  nowMs: number,
): void {
  const deadlineMs = nowMs + s.config.consensus.forwardTimeoutMs;
  s.forwards.add({ batch, bytes, leader, epoch, early: s.leader !== leader, deadlineMs });
  s.send(leader, { type: 'Forward', epoch, ...batch }, lane);
}

interface Answers {
  accepted(offset: number, count: number, epoch: RaftEpoch, index: number): void;
  refused(offset: number, count: number, reason: RefusalReason): void;
}

function answerHere(s: RaftState, first: number): Answers {
  return {
    accepted: (offset, count, epoch, index) =>
      s.emit({ type: 'accepted', first: first + offset, count, epoch, index }),
    refused: (offset, count, reason) => s.emit({ type: 'refused', first: first + offset, count, reason }),
  };
}

function answerThere(s: RaftState, to: PeerId, first: number): Answers {
  return {
    accepted: (offset, count, epoch, index) =>
      s.send(to, { type: 'Forwarded', first: first + offset, count, epoch, index }),
    refused: (offset, count, reason) =>
      s.send(to, { type: 'Refused', first: first + offset, count, reason: { type: reason } }),
  };
}

/** Why this member appends nothing now. */
function refusalOf({ leadership, departing, serves, config }: RaftState): RefusalReason | undefined {
  if (!leadership || departing || config.witness) return 'Offline';
  return serves ? undefined : 'NoQuorum';
}

/** All in order, until one does not fit. */
function append(s: RaftState, batch: ProposalBatch, answers: Answers): void {
  const { leadership } = s;
  const { session, first, ackedBelow, keys, proposals } = batch;
  const count = proposals.length;
  if (count === 0) return;
  const reason = refusalOf(s);
  if (reason || !leadership) {
    answers.refused(0, count, reason ?? 'Offline');
    return;
  }
  const { maxUncommittedBytes, maxUncommittedEntries } = s.config.limits;
  const entries: LogEntry[] = [];
  const room = maxUncommittedEntries - (s.log.last - s.commit);
  let taken = 0;
  let nextKey = 0;
  for (const run of proposals) {
    const bytes = runBytes(run);
    const tooMuch =
      leadership.uncommittedBytes > 0 && leadership.uncommittedBytes + bytes > maxUncommittedBytes;
    if (tooMuch || entries.length + run.length > room) break;
    leadership.uncommittedBytes += bytes;
    let key: UniqueId | undefined;
    if (keys[nextKey]?.at === taken) key = keys[nextKey++]?.key;
    const sequence = first + taken;
    const end = run.length - 1;
    for (let i = 0; i <= end; i += 1) {
      entries.push({
        type: i < end ? 'CommandMore' : key === undefined ? 'Command' : 'Keyed',
        session: i === 0 ? session : 0,
        sequence: i === 0 ? sequence : 0,
        unacked: i === 0 ? sequence - ackedBelow : 0,
        key,
        value: run[i] as Uint8Array,
      });
    }
    taken += 1;
  }
  const index = s.log.last + 1;
  s.appendEntries(leadership.epoch, entries);
  if (taken > 0) answers.accepted(0, taken, leadership.epoch, index);
  if (taken < count) answers.refused(taken, count - taken, 'Overloaded');
}

function appendSession(s: RaftState, origin: PeerId, incarnation: bigint, answers: Answers): void {
  const { leadership } = s;
  const reason = refusalOf(s);
  if (reason || !leadership) {
    answers.refused(0, 1, reason ?? 'Offline');
    return;
  }
  const index = s.log.last + 1;
  leadership.uncommittedBytes += SESSION_BYTES;
  s.appendEntries(leadership.epoch, [{ type: 'Session', origin, incarnation }]);
  answers.accepted(0, 1, leadership.epoch, index);
}
