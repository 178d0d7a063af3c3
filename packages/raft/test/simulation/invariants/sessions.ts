import type { CommandEntry, LogEntry } from '@mosaik/wire';
import { isCommand } from '../../../src/core/log.ts';
import { isInSession } from '../sim-node.ts';
import { type CreateInvariant, keyOfEpoch } from './invariant.ts';

/** One entry that somebody applied, and the one before it in that log. */
interface Applied {
  readonly index: number;
  readonly entry: LogEntry;
  readonly before: Applied | undefined;
  /** A command that is to have its effect. */
  readonly due: boolean;
}

/**
 * A command of a session is applied once, only while its session is there, and not after its origin gave it up: told by
 * reading the log backwards. (There are never so many sessions that one is evicted.)
 */
export const sessions: CreateInvariant = (checker, cluster) => {
  const known = new Map<string, Applied>();
  if (!cluster.init.sessions) return {};
  return {
    handleApplied(node, index) {
      const { log } = node.core;
      const entry = log.entryAt(index);
      if (!entry) return;
      const key = `${keyOfEpoch(log.epochAt(index))}@${index}`;
      let applied = known.get(key);
      if (!applied) {
        const before = known.get(`${keyOfEpoch(log.epochAt(index - 1))}@${index - 1}`);
        applied = { index, entry, before, due: isCommand(entry) && isDue(entry, before) };
        known.set(key, applied);
      }
      if (!isCommand(entry) || node.admitted === undefined || cluster.isWitness(node)) return;
      if (node.admitted === applied.due) return;
      const { session, sequence } = entry;
      throw checker.fail(
        node,
        node.admitted
          ? `applies ${sequence} of session ${session} at ${index}: again, or too late`
          : `leaves out ${sequence} of session ${session} at ${index}, which is the first`,
      );
    },
  };
};

function isDue(command: CommandEntry, last: Applied | undefined): boolean {
  const { session, sequence } = command;
  if (!isInSession(command)) return true;
  /** Whose sessions end with what was opened after it. */
  const opened: LogEntry[] = [];
  let at = last;
  for (; at && at.index > session; at = at.before) {
    const { entry } = at;
    if (entry.type === 'Session') opened.push(entry);
    if (!isCommand(entry) || entry.session !== session) continue;
    if (entry.sequence === sequence && at.due) return false;
    if (sequence < entry.sequence - entry.unacked) return false;
  }
  const opening = at?.index === session ? at.entry : undefined;
  if (opening?.type !== 'Session' || isOpenBefore(opening, at?.before)) return false;
  return !opened.some(
    (entry) =>
      entry.type === 'Session' &&
      entry.origin === opening.origin &&
      entry.incarnation !== opening.incarnation,
  );
}

/** Asked for twice, a session has the first place. */
function isOpenBefore(
  { origin, incarnation }: Extract<LogEntry, { type: 'Session' }>,
  last?: Applied,
): boolean {
  for (let at = last; at; at = at.before) {
    if (at.entry.type === 'Session' && at.entry.origin === origin)
      return at.entry.incarnation === incarnation;
  }
  return false;
}
