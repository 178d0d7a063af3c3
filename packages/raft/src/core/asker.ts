import type { PeerId } from '@mosaik/wire';
import type { RefusalReason } from './effect.ts';
import type { Leadership } from './leadership.ts';
import type { RaftState } from './state.ts';

/** Who asked: this member's driver (`from` undefined) or another member. */
export interface Asker {
  readonly request: number;
  readonly from: PeerId | undefined;
}

/** What becomes of a request: done already, answered later, or refused. */
export type Verdict = 'Done' | 'Pending' | RefusalReason;

/** The change of the set that somebody waits for is committed. */
export function handleCommittedChange(s: RaftState, leadership: Leadership): void {
  const { change } = leadership;
  if (!change || s.commit < change.index) return;
  leadership.change = undefined;
  answerRequest(s, change.asker, undefined);
}

/** This leader is none any more: others who asked notice by themselves. */
export function handleLeadershipOver(s: RaftState, leadership: Leadership): void {
  const { change, prospect } = leadership;
  // It was not appended, and never will be.
  if (prospect?.asker) answerRequest(s, prospect.asker, 'Offline');
  if (change && change.asker.from === undefined)
    s.emit({ type: 'request-unknown', request: change.asker.request });
}

/** `problem` undefined: done. */
export function answerRequest(
  s: RaftState,
  { request, from }: Asker,
  problem: RefusalReason | undefined,
): void {
  if (from === undefined) {
    if (problem) s.emit({ type: 'request-refused', request, reason: problem });
    else s.emit({ type: 'request-done', request });
  } else if (problem) {
    s.send(from, { type: 'RequestRefused', request, reason: { type: problem } });
  } else {
    s.send(from, { type: 'RequestDone', request });
  }
}
