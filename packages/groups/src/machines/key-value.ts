import type { StateMachine } from '@mosaik/raft';
import {
  bytes,
  type Infer,
  option,
  type Schema,
  safeU64,
  str,
  struct,
  UniqueId,
  variants,
  vec,
} from '@mosaik/wire';
import { type KeyValueEntry, PagedValues } from './paged-values.ts';

export type { KeyValueEntry } from './paged-values.ts';

/** Longest key, in bytes of UTF-8. */
export const MAX_KEY_BYTES = 1024;
/** Most entries that one `List` answers with. */
export const MAX_LIST_LENGTH = 1000;

const key = str({ max: MAX_KEY_BYTES });

export const KeyValueCommand = variants(
  'KeyValueCommand',
  {
    /** Sets the key. With `expected`: only if its entry was written at that index, 0 meaning that it is absent. */
    Put: { key, value: bytes(), expected: option(safeU64) },
    /** Removes the key, under the same condition. */
    Delete: { key, expected: option(safeU64) },
  },
  {
    Put: {
      read: (reader, fields) => ({
        type: 'Put',
        key: fields.key.read(reader),
        value: fields.value.read(reader),
        expected: fields.expected.read(reader),
      }),
      write(writer, fields, { key, value, expected }) {
        fields.key.write(writer, key);
        fields.value.write(writer, value);
        fields.expected.write(writer, expected);
      },
    },
  },
);
export type KeyValueCommand = Infer<typeof KeyValueCommand>;

/** What a command did. `index` is where the key was last written before it, 0 when it was absent. */
export const KeyValueOutput = variants('KeyValueOutput', {
  Done: { index: safeU64 },
  /** The condition did not hold; nothing changed. */
  Conflict: { index: safeU64 },
});
export type KeyValueOutput = Infer<typeof KeyValueOutput>;

export const KeyValueQuery = variants('KeyValueQuery', {
  Get: { key },
  /** Entries whose keys start with `prefix` and come after `after`, in key order. */
  List: { prefix: key, after: option(key), limit: safeU64 },
  /** A digest of the whole state: equal on members that hold the same. */
  Digest: null,
});
export type KeyValueQuery = Infer<typeof KeyValueQuery>;

const Entry: Schema<KeyValueEntry> = struct('KeyValueEntry', { key, value: bytes(), index: safeU64 });

export const KeyValueResult = variants('KeyValueResult', {
  Entry: option(Entry),
  Entries: vec(Entry, { max: MAX_LIST_LENGTH }),
  Digest: { digest: str({ max: 64 }), size: safeU64 },
});
export type KeyValueResult = Infer<typeof KeyValueResult>;

export type KeyValueMachine = StateMachine<KeyValueCommand, KeyValueQuery, KeyValueResult, KeyValueOutput>;

const Snapshot: Schema<KeyValueEntry[]> = vec(Entry, { max: 0xffff_ffff });

/** What `Snapshot` would give, a part at a time. Entries are never changed, only replaced: the list is the state. */
function* encodeParts(list: readonly KeyValueEntry[]): Iterable<Uint8Array> {
  yield safeU64.encode(list.length);
  for (const entry of list) yield Entry.encode(entry);
}

/** What the caller may keep and change: the map's values share memory. */
function owned<T extends KeyValueEntry | undefined>(entry: T): T {
  return entry && { ...entry, value: entry.value.slice() };
}

/** A replicated map from text to bytes, with compare-and-set on the index that last wrote a key. */
export function keyValue(): KeyValueMachine {
  const entries = new PagedValues();
  const sorted = () => [...entries.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  return {
    signature: UniqueId.from('mosaik/state-machine/key-value/1'),
    command: KeyValueCommand,
    result: KeyValueResult,
    output: KeyValueOutput,
    apply(command, { index }) {
      const before = entries.get(command.key)?.index ?? 0;
      if (command.expected !== undefined && command.expected !== before)
        return { type: 'Conflict', index: before };
      if (command.type === 'Delete') entries.delete(command.key);
      else entries.set(command.key, command.value, index);
      return { type: 'Done', index: before };
    },
    query(query) {
      switch (query.type) {
        case 'Get':
          return { type: 'Entry', value: owned(entries.get(query.key)) };
        case 'List': {
          const { prefix, after = '' } = query;
          const found = sorted().filter((entry) => entry.key.startsWith(prefix) && entry.key > after);
          return {
            type: 'Entries',
            value: found.slice(0, Math.min(query.limit, MAX_LIST_LENGTH)).map(owned),
          };
        }
        case 'Digest':
          return { type: 'Digest', digest: UniqueId.from(Snapshot.encode(sorted())), size: entries.size };
      }
    },
    snapshot: () => encodeParts([...entries.values()]),
    restore(bytes) {
      entries.clear();
      // In the order of the snapshot, so that the next one has the same bytes as everybody else's.
      for (const { key, value, index } of Snapshot.decode(bytes)) entries.set(key, value, index);
    },
    reset: () => entries.clear(),
  };
}
