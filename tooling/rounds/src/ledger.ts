import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { StateMachine } from '@mosaik/raft';
import { type Infer, str, struct, UniqueId } from '@mosaik/wire';

/** Sets a key to the name of the write itself: every write is one of its kind. */
export const LedgerCommand = struct('LedgerCommand', { key: str({ max: 64 }), id: str({ max: 64 }) });
export type LedgerCommand = Infer<typeof LedgerCommand>;

export interface LedgerEntry extends LedgerCommand {
  readonly index: number;
}

/** The newest entry of a key, or all entries. */
export type LedgerQuery = { readonly key: string } | 'all';

export type LedgerMachine = StateMachine<LedgerCommand, LedgerQuery, LedgerEntry[], number>;

/** A map from keys to writes that forgets nothing. `tookSnapshot` is called whenever it was asked for one. */
export function ledger(tookSnapshot: () => void): LedgerMachine {
  let entries: LedgerEntry[] = [];
  let newest = new Map<string, LedgerEntry>();
  const begin = (all: LedgerEntry[]) => {
    entries = all;
    newest = new Map(all.map((entry) => [entry.key, entry]));
  };
  return {
    signature: UniqueId.from('mosaik/rounds/ledger/1'),
    command: LedgerCommand,
    apply({ key, id }, { index }) {
      const entry = { key, id, index };
      entries.push(entry);
      newest.set(key, entry);
      return index;
    },
    query(query) {
      if (query === 'all') return entries;
      const entry = newest.get(query.key);
      return entry ? [entry] : [];
    },
    snapshot() {
      tookSnapshot();
      // Small, because a snapshot is due when as many bytes of entries came after the last one as that has.
      return deflateRawSync(JSON.stringify(entries));
    },
    restore: (bytes) => begin(JSON.parse(inflateRawSync(bytes).toString()) as LedgerEntry[]),
    reset: () => begin([]),
  };
}
