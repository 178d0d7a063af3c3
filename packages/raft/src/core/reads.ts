import type { PeerId, RaftBody } from '@mosaik/wire';
import { isMoving } from './moving.ts';
import type { RaftState } from './state.ts';
import type { ReadBatch } from './tables.ts';

type ReadRefused = Extract<RaftBody, { type: 'ReadRefused' }>;

/** Linearizable reads of this member, or one that another member asks for (Raft §6.4 of the thesis). */
export function handleRead(s: RaftState, batch: ReadBatch, nowMs: number): void {
  if (s.reads.size + batch.count > s.config.limits.maxReads) s.reads.refuse(s, batch, 'Overloaded');
  else if (s.leadership && !s.serves) s.reads.refuse(s, batch, 'NoQuorum');
  else if (s.leadership) s.reads.queue(batch);
  else if (batch.from !== undefined) s.reads.refuse(s, batch, isMoving(s, nowMs) ? 'Moving' : 'Offline');
  else if (s.leader !== undefined) s.reads.ask(batch);
  else if (s.held.active) s.reads.hold(batch);
  else s.reads.refuse(s, batch, 'Offline');
}

/** Its leader, whom it follows still, did not take what it was asked. When it only is leader no more, the next one may. */
export function handleReadRefused(
  s: RaftState,
  from: PeerId,
  { read, reason }: ReadRefused,
  nowMs: number,
): void {
  const batch = s.reads.takeRefused(from, read);
  if (!batch) return;
  if (reason.type !== 'Moving') {
    s.reads.refuse(s, batch, reason.type);
    return;
  }
  s.held.start(nowMs + s.electionTimeoutMs);
  s.reads.hold(batch);
}
