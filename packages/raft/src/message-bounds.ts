import { type RaftBody, WireError } from '@mosaik/wire';
import { isCommand } from './core/log.ts';

/** A peer's term is at most so far above the own: more elections than there ever are, and no number runs out. */
const MAX_TERM_LEAD = 2 ** 32;

/** What the codec can not know: sizes that the group agreed on, and what this member holds. */
export interface MessageBounds {
  /** This member's. */
  readonly term: number;
  readonly maxCommandBytes: number;
  readonly machine: { readonly command: { decode(bytes: Uint8Array): unknown } };
}

/** Refuses what no correct peer sends. @throws WireError `invalid-value` or `limit`. */
export function checkBounds(body: RaftBody, bounds: MessageBounds): void {
  const term = termOf(body);
  if (term > bounds.term + MAX_TERM_LEAD)
    throw new WireError('invalid-value', 0, `term ${term} is out of reach of ${bounds.term}`);
  const max = bounds.maxCommandBytes;
  if (body.type === 'Append') {
    for (const { entries } of body.entries) {
      for (const entry of entries) if (isCommand(entry)) checkSize(entry.value.length, max);
    }
  } else if (body.type === 'Forward') {
    for (const run of body.proposals) {
      if (run.length === 0) throw new WireError('invalid-value', 0, 'a forwarded run without commands');
      checkSize(
        run.reduce((total, command) => total + command.length, 0),
        max,
      );
      for (const command of run) checkCommand(command, bounds);
    }
    checkNumbers(body);
  }
}

/** The term that a message could move its receiver to. */
function termOf(body: RaftBody): number {
  switch (body.type) {
    case 'Status':
    case 'Claim':
      return Math.max(body.term, body.epoch?.term ?? 0);
    case 'Yield':
    case 'Yielded':
      return body.term;
    case 'VoteResponse':
    case 'Appended':
      return body.term;
    case 'VoteRequest':
    case 'Append':
      return body.epoch.term;
    case 'TimeoutNow':
      return body.next.term;
    default:
      return 0;
  }
}

function checkSize(bytes: number, max: number): void {
  if (bytes > max)
    throw new WireError('limit', 0, `a command of ${bytes} bytes above maxCommandBytes ${max}`);
}

/** A command that no machine can read would stop every member once it is committed. */
function checkCommand(command: Uint8Array, { machine }: MessageBounds): void {
  try {
    machine.command.decode(command);
  } catch (error) {
    throw new WireError(
      'invalid-value',
      0,
      `the machine does not know a forwarded command: ${String(error)}`,
    );
  }
}

/** Sequences that a session can have, and keys for single commands of the message, in order. */
function checkNumbers({ first, ackedBelow, keys, proposals }: Extract<RaftBody, { type: 'Forward' }>): void {
  if (first < 1 || ackedBelow > first || !Number.isSafeInteger(first + proposals.length))
    throw new WireError('invalid-value', 0, `sequences from ${first}, answered below ${ackedBelow}`);
  let before = -1;
  for (const { at } of keys) {
    if (at <= before || proposals[at]?.length !== 1)
      throw new WireError('invalid-value', 0, `a key for proposal ${at} of ${proposals.length}`);
    before = at;
  }
}
