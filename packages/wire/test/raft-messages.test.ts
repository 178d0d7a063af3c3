import {
  bool,
  bytes,
  id,
  LogEntry,
  type PeerId,
  RaftMessage,
  safeU64,
  struct,
  UniqueId,
  u64,
  variants,
  vec,
  WireError,
} from '@mosaik/wire';
import { describe, expect, test } from 'vitest';

const leader = 'ab'.repeat(32) as PeerId;
const member = { peer: leader, incarnation: 2n ** 63n };

describe('LogEntry, which is written by hand', () => {
  const members = vec(struct('Member', { peer: id<PeerId>(), incarnation: u64 }));
  const learners = vec(id<PeerId>());
  const twin = variants('LogEntry', {
    Opening: { forced: bool, members, learners },
    View: { members, learners },
    Command: { session: safeU64, sequence: safeU64, unacked: safeU64, value: bytes() },
    CommandMore: { session: safeU64, sequence: safeU64, unacked: safeU64, value: bytes() },
    Session: { origin: id<PeerId>(), incarnation: u64 },
    Keyed: { session: safeU64, sequence: safeU64, unacked: safeU64, key: id<UniqueId>(), value: bytes() },
  });
  const command = { session: 7, sequence: 300, unacked: 10 };

  test.each<LogEntry>([
    { type: 'Opening', forced: true, members: [member], learners: [leader] },
    { type: 'View', members: [], learners: [] },
    { ...command, type: 'Command', value: Uint8Array.of(1, 2, 3) },
    { ...command, type: 'CommandMore', value: new Uint8Array(300) },
    { ...command, type: 'Keyed', key: UniqueId.from<UniqueId>('key'), value: Uint8Array.of(1) },
    { ...command, type: 'Command', session: 0, sequence: 0, unacked: 0, value: Uint8Array.of(1) },
    { type: 'Session', origin: leader, incarnation: 2n ** 63n },
  ])('has the bytes of a postcard enum: $type', (entry) => {
    const encoded = LogEntry.encode(entry);
    expect(encoded).toEqual(twin.encode(entry as never));
    expect(LogEntry.decode(encoded)).toEqual(entry);
  });

  test('refuses an unknown kind', () => {
    expect(() => LogEntry.decode(Uint8Array.of(6, 0))).toThrow(WireError);
  });

  test.each<LogEntry>([
    { ...command, type: 'Command', sequence: 9, value: new Uint8Array() },
    { ...command, type: 'Command', session: -1, value: new Uint8Array() },
    { ...command, type: 'Command', sequence: 0.5, value: new Uint8Array() },
    { ...command, type: 'Keyed', value: new Uint8Array() },
  ])('refuses to write what could not be read: %j', (entry) => {
    expect(() => LogEntry.encode(entry)).toThrow(WireError);
  });

  test('refuses more unacknowledged sequences than there are', () => {
    expect(() => LogEntry.decode(Uint8Array.of(2, 1, 5, 6, 0))).toThrow(WireError);
  });
});

describe('RaftMessage', () => {
  const epoch = { term: 3, leader, nonce: 77n };

  test.each<RaftMessage['body']>([
    { type: 'TimeoutNow', epoch, last: 9, next: epoch, leaving: false },
    { type: 'Committed', epoch, commit: 9 },
    {
      type: 'Append',
      epoch,
      side: epoch,
      prev: { epoch, index: 4 },
      entries: [
        {
          epoch,
          entries: [
            {
              type: 'Command',
              session: 2,
              sequence: 1,
              unacked: 0,
              value: Uint8Array.of(9),
            },
          ],
        },
      ],
      commit: 4,
      round: 1,
      durable: 9,
    },
    {
      type: 'Appended',
      epoch,
      term: 3,
      match: 0,
      round: 0,
      reject: { prev: 4, last: 2, runs: [{ epoch, first: 1 }] },
    },
    {
      type: 'Forward',
      epoch,
      session: 2,
      first: 9,
      ackedBelow: 4,
      keys: [{ at: 0, key: UniqueId.from<UniqueId>('key') }],
      proposals: [[Uint8Array.of(1)], [Uint8Array.of(2), Uint8Array.of(3)]],
    },
    { type: 'OpenSession', epoch, number: 1, incarnation: 9n },
  ])('comes back as it went: $type', (body) => {
    const message = { incarnation: 5n, body };
    expect(RaftMessage.decode(RaftMessage.encode(message))).toEqual(message);
  });

  test('a length that the input cannot hold is refused before anything is allocated', () => {
    const forward: RaftMessage['body'] = {
      type: 'Forward',
      epoch,
      session: 2,
      first: 1,
      ackedBelow: 1,
      keys: [],
      proposals: [],
    };
    const bytes = RaftMessage.encode({ incarnation: 5n, body: forward });
    bytes[bytes.length - 1] = 100;
    expect(() => RaftMessage.decode(bytes)).toThrow(/exceeds/);
  });
});
