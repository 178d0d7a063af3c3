import { readFileSync } from 'node:fs';
import * as wire from '@mosaik/wire';
import type { Subject } from './fuzz-codecs.ts';

const vectorsUrl = new URL('../../../packages/wire/test/vectors/postcard.json', import.meta.url);

/** Every kind of schema there is; no floats, of which NaN has many encodings, and every message is canonical. */
const Everything = wire.struct('Everything', {
  bits: wire.tuple(wire.bool, wire.u8, wire.i8, wire.u16, wire.i16, wire.u32, wire.i32),
  wide: wire.tuple(wire.safeU64, wire.u64, wire.i64, wire.u128, wire.i128),
  text: wire.str({ max: 300 }),
  letters: wire.vec(wire.char),
  nothing: wire.unit,
  bytes: wire.bytes({ max: 300 }),
  fixed: wire.fixedBytes(3),
  id: wire.id(),
  maybe: wire.option(wire.str()),
  set: wire.orderedSet(wire.str()),
  table: wire.map(wire.str(), wire.vec(wire.u16)),
  choice: wire.variants('Choice', {
    A: null,
    B: wire.u16,
    C: wire.tuple(wire.u8, wire.str()),
    D: { on: wire.bool },
  }),
});

const everything: wire.Infer<typeof Everything> = {
  bits: [true, 200, -5, 300, -300, 70_000, -70_000],
  wide: [2 ** 40, 2n ** 63n, -(2n ** 63n), 2n ** 127n, -(2n ** 127n)],
  text: 'grüße',
  letters: ['a', 'ß', '😀'],
  nothing: undefined,
  bytes: Uint8Array.of(1, 2, 3),
  fixed: Uint8Array.of(4, 5, 6),
  id: wire.UniqueId.from('everything'),
  maybe: 'perhaps',
  set: ['a', 'b', 'é'],
  table: new Map([
    ['a', [1, 300]],
    ['b', []],
  ]),
  choice: { type: 'C', value: [7, 'c'] },
};

const leader = wire.UniqueId.from<wire.PeerId>('leader');
const epoch: wire.RaftEpoch = { term: 300, leader, nonce: 2n ** 64n - 1n };
const members: wire.RaftMember[] = [{ peer: leader, incarnation: 2n ** 40n }];
const command = { type: 'Command' as const, value: Uint8Array.of(1, 2, 3) };
const raftBodies: readonly wire.RaftBody[] = [
  {
    type: 'Status',
    term: 5,
    sides: [epoch],
    epoch,
    last: { epoch, index: 700 },
    committed: 699,
    view: members,
    former: members,
    settled: true,
    joining: false,
    observer: false,
    stopped: false,
    runs: [{ epoch, first: 1 }],
  },
  {
    type: 'VoteRequest',
    epoch,
    pre: true,
    side: epoch,
    lastTerm: 4,
    lastIndex: 700,
    forced: { founders: members, view: members },
    transfer: undefined,
  },
  { type: 'VoteResponse', epoch, pre: false, term: 5, verdict: { type: 'Ahead' } },
  {
    type: 'Append',
    epoch,
    side: undefined,
    prev: { epoch, index: 700 },
    entries: [
      { epoch, entries: [{ type: 'Opening', forced: true, members, learners: [] }, command] },
      {
        epoch,
        entries: [
          { type: 'View', members, learners: [leader] },
          { ...command, type: 'CommandMore' },
        ],
      },
    ],
    commit: 699,
    round: 12,
  },
  {
    type: 'Appended',
    epoch,
    term: 5,
    match: 700,
    round: 12,
    reject: { prev: 700, last: 650, runs: [{ epoch, first: 1 }] },
  },
  { type: 'Forward', first: 3, proposals: [[Uint8Array.of(1), new Uint8Array(0)], []] },
  { type: 'Refused', first: 3, count: 2, reason: { type: 'Overloaded' } },
];

/** Every message schema that the package exports, with its golden vectors, and one schema of everything else. */
export function wireSubjects(): Subject[] {
  const vectors = Object.entries(JSON.parse(readFileSync(vectorsUrl, 'utf8')) as Record<string, string>);
  const isSchema = (value: unknown): value is wire.Schema<unknown> =>
    typeof (value as { decode?: unknown } | undefined)?.decode === 'function';
  const messages = Object.entries(wire)
    .filter(([name]) => /^[A-Z]/.test(name))
    .flatMap(([name, codec]) => (isSchema(codec) ? [{ name, codec }] : []));
  return [
    ...messages.map(({ name, codec }) => ({
      name,
      codec,
      seeds: [
        ...vectors.filter(([key]) => key.split(' ')[0] === name).map(([, hex]) => Buffer.from(hex, 'hex')),
        ...(name === 'RaftMessage'
          ? raftBodies.map((body) => wire.RaftMessage.encode({ incarnation: 9n, body }))
          : []),
      ],
    })),
    { name: 'Everything', codec: Everything as wire.Codec<unknown>, seeds: [Everything.encode(everything)] },
  ];
}
