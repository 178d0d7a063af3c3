import { UniqueId } from '@mosaik/wire';
import { type EntryRun, isCommand } from './core/log.ts';
import { type CommandName, describeName, type SessionOwner } from './sessions/command-name.ts';

/**
 * What this member's log gave up, because its side of the group lost to another (quorum `dynamic`), and what that side
 * does not have either: told once for each time, when this member has caught up with it. The machine is at its state
 * then; whether any of it is to be done again is the application's to decide.
 */
export interface Reverted<C> {
  /** First and last index that was given up. */
  readonly from: number;
  readonly to: number;
  /** Up to here it was applied on this member; what follows may have been acknowledged elsewhere, or not. */
  readonly applied: number;
  /** In log order; the places are those of the side that is gone. */
  readonly commands: readonly RevertedCommand<C>[];
  /** False when more may have been given up than is known: the logs part further back than their run tables reach. */
  readonly complete: boolean;
  /**
   * False when some of `commands` may be in the log of the other side all the same: this member stopped, or a minute
   * went by, before it had caught up; or what it caught up with was a snapshot that no longer says.
   */
  readonly compared: boolean;
}

export interface RevertedCommand<C> {
  readonly index: number;
  readonly term: number;
  readonly command: C;
}

/** One command, or a run of them, that was given up. Without a name when nothing tells whose it was. */
export interface GivenUp<C> {
  readonly name: CommandName | undefined;
  readonly commands: RevertedCommand<C>[];
}

/**
 * The commands of `lost`, each once. `ownerOf` knows the sessions that were opened before `from`.
 *
 * @throws what `decode` throws.
 */
export function describeLost<C>(
  from: number,
  lost: readonly EntryRun[],
  ownerOf: (session: number) => SessionOwner | undefined,
  decode: (bytes: Uint8Array) => C,
): GivenUp<C>[] {
  const opened = new Map<number, SessionOwner>();
  const given: GivenUp<C>[] = [];
  const seen = new Set<string>();
  let current: GivenUp<C> | undefined;
  let index = from - 1;
  for (const { epoch, entries } of lost) {
    for (const entry of entries) {
      index += 1;
      if (entry.type === 'Session') opened.set(index, entry);
      if (!isCommand(entry)) continue;
      const { session, sequence, key, value } = entry;
      // The first entry names the run.
      if (!current || sequence > 0) {
        const owner = opened.get(session) ?? ownerOf(session);
        const name =
          key !== undefined ? { key, digest: UniqueId.from<UniqueId>(value) } : owner && { owner, sequence };
        current = { name, commands: [] };
        const text = name && describeName(name);
        // What was sent again stands there more than once.
        if (text === undefined || !seen.has(text)) given.push(current);
        if (text !== undefined) seen.add(text);
      }
      current.commands.push({ index, term: epoch.term, command: decode(value) });
    }
  }
  return given;
}
