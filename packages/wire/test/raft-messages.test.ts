import {
  bool,
  bytes,
  id,
  LogEntry,
  type PeerId,
  RaftMessage,
  struct,
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
    Command: bytes(),
    CommandMore: bytes(),
  });

  test.each<LogEntry>([
    { type: 'Opening', forced: true, members: [member], learners: [leader] },
    { type: 'View', members: [], learners: [] },
    { type: 'Command', value: Uint8Array.of(1, 2, 3) },
    { type: 'CommandMore', value: new Uint8Array(300) },
  ])('has the bytes of a postcard enum: $type', (entry) => {
    const encoded = LogEntry.encode(entry);
    expect(encoded).toEqual(twin.encode(entry as never));
    expect(LogEntry.decode(encoded)).toEqual(entry);
  });

  test('refuses an unknown kind', () => {
    expect(() => LogEntry.decode(Uint8Array.of(4, 0))).toThrow(WireError);
  });
});

describe('RaftMessage', () => {
  const epoch = { term: 3, leader, nonce: 77n };

  test.each<RaftMessage['body']>([
    { type: 'TimeoutNow', epoch },
    { type: 'Committed', epoch, commit: 9 },
    {
      type: 'Append',
      epoch,
      side: epoch,
      prev: { epoch, index: 4 },
      entries: [{ epoch, entries: [{ type: 'Command', value: Uint8Array.of(9) }] }],
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
    { type: 'Forward', first: 1, proposals: [[Uint8Array.of(1)], [Uint8Array.of(2), Uint8Array.of(3)]] },
  ])('comes back as it went: $type', (body) => {
    const message = { incarnation: 5n, body };
    expect(RaftMessage.decode(RaftMessage.encode(message))).toEqual(message);
  });

  test('a length that the input cannot hold is refused before anything is allocated', () => {
    const bytes = RaftMessage.encode({ incarnation: 5n, body: { type: 'Forward', first: 1, proposals: [] } });
    bytes[bytes.length - 1] = 100;
    expect(() => RaftMessage.decode(bytes)).toThrow(/exceeds/);
  });
});
