import type { Effect } from './core/effect.ts';
import { isCommand } from './core/log.ts';

/**
 * What this member's log gave up, because its side of the group lost to another (quorum `dynamic`). The machine is
 * already back to the state before `from` when this is told; whether any of it is to be done again is the application's
 * to decide.
 */
export interface Reverted<C> {
  /** First and last index that was given up. */
  readonly from: number;
  readonly to: number;
  /** Up to here it was applied on this member; what follows may have been acknowledged elsewhere, or not. */
  readonly applied: number;
  /** In log order; the places are those of the side that is gone. */
  readonly commands: readonly { readonly index: number; readonly term: number; readonly command: C }[];
  /** False when more may have been given up than is known: the logs part further back than their run tables reach. */
  readonly complete: boolean;
}

/** `applied`: until now. Undefined when nothing that a machine sees is gone. @throws what `decode` throws. */
export function describeReverted<C>(
  { from, lost, complete }: Extract<Effect, { type: 'revert' }>,
  applied: number,
  decode: (bytes: Uint8Array) => C,
): Reverted<C> | undefined {
  const commands: { index: number; term: number; command: C }[] = [];
  let index = from;
  let repeats = false;
  const seen = new Set<string>();
  for (const { epoch, entries } of lost) {
    for (const entry of entries) {
      if (isCommand(entry)) {
        // The first entry names the run, and what was sent again stands there more than once.
        if (entry.sequence > 0) {
          const name = `${entry.session}/${entry.sequence}`;
          repeats = seen.has(name);
          seen.add(name);
        }
        if (!repeats) commands.push({ index, term: epoch.term, command: decode(entry.value) });
      }
      index += 1;
    }
  }
  if (commands.length === 0 && complete) return undefined;
  return { from, to: Math.max(from, index - 1), applied, commands, complete };
}
