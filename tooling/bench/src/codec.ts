import { randomBytes } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  BondMessage,
  type Codec,
  type Id,
  idFromBytes,
  type PeerEntry,
  type RaftEpoch,
  RaftMessage,
  SignedPeerEntry,
} from '@mosaik/wire';
import * as cbor from 'cbor-x';
import * as msgpack from 'msgpackr';
import { type Bench, type BenchContext, median } from '../lib/bench.ts';
import { bytesIn, protobufShapes, textIn } from '../lib/codec-peers.ts';

/** Values of each shape, so that no contender gets to see the same one twice in a row. */
const VALUES = 64;
/** Entries with seven ids each: by the time that one comes again, several times as many as are remembered went by. */
const NEW_ENTRIES = 4096;
const ROUNDS = 31;
const SLICE_MS = 6;

/** One way to turn values of a shape into bytes and back. */
interface Contender {
  name: string;
  encode(index: number): Uint8Array;
  decode(index: number): unknown;
}

interface Shape {
  name: string;
  contenders: readonly Contender[];
}

const freshId = <I extends Id<string>>() => idFromBytes<I>(randomBytes(32));
const sortedIds = <I extends Id<string>>(count: number): I[] =>
  Array.from({ length: count }, () => freshId<I>()).sort();

function sampleEntry(index: number): SignedPeerEntry {
  const entry: PeerEntry = {
    peerId: freshId(),
    protocolVersion: 1,
    networkId: freshId(),
    version: { startMs: 1_900_000_000_000 + index, updateMs: 1_900_000_100_000 + index },
    addresses: [`192.168.17.${index}:7400`, `[2001:db8::${index}]:7400`],
    tags: sortedIds(2),
    groups: sortedIds(2),
    tickets: [{ ticketClass: freshId(), data: new Uint8Array(randomBytes(130)) }],
    departed: false,
  };
  return { entry, signature: new Uint8Array(randomBytes(64)) };
}

function sampleAppend(index: number): RaftMessage {
  const epoch: RaftEpoch = { term: 12, leader: freshId(), nonce: randomBytes(8).readBigUInt64LE() };
  const command = (_: unknown, i: number) => ({
    type: 'Command' as const,
    session: 40,
    sequence: 100_000 + i,
    unacked: 100,
    value: new Uint8Array(randomBytes(100)),
  });
  return {
    incarnation: randomBytes(8).readBigUInt64LE(),
    body: {
      type: 'Append',
      epoch,
      side: undefined,
      prev: { epoch, index: 100_000 + index },
      entries: [{ epoch, entries: Array.from({ length: 64 }, command) }],
      commit: 100_000 + index,
      round: 77,
      durable: 0,
    },
  };
}

function contender<T>(
  name: string,
  values: readonly T[],
  encode: (value: T) => Uint8Array,
  decode: (bytes: Uint8Array) => unknown,
): Contender {
  // Copies: what arrives is no view into the encoder's own buffer.
  const encoded = values.map((value) => Uint8Array.from(encode(value)));
  return {
    name,
    encode: (index) => encode(values[index % values.length] as T),
    decode: (index) => decode(encoded[index % values.length] as Uint8Array),
  };
}

function shape<T>(
  name: string,
  codec: Codec<T>,
  values: readonly T[],
  protobuf: (typeof protobufShapes)[keyof typeof protobufShapes],
): Shape {
  const packr = new msgpack.Packr({ structures: [], int64AsType: 'bigint' });
  const cborx = new cbor.Encoder({ structures: [] });
  // The binary formats are given ids as 32 bytes, which both ends then have to compare and print by themselves.
  const raw = values.map(bytesIn);
  const text = new TextEncoder();
  const untext = new TextDecoder();
  const contenders = [
    contender('mosaik', values, codec.encode, codec.decode),
    contender(
      'msgpackr',
      values,
      (value) => packr.pack(value),
      (bytes) => packr.unpack(bytes),
    ),
    contender(
      'msgpackr',
      raw,
      (value) => packr.pack(value),
      (bytes) => packr.unpack(bytes),
    ),
    contender(
      'cbor-x',
      values,
      (value) => cborx.encode(value),
      (bytes) => cborx.decode(bytes),
    ),
    contender(
      'cbor-x',
      raw,
      (value) => cborx.encode(value),
      (bytes) => cborx.decode(bytes),
    ),
    contender(
      'json',
      values.map(textIn),
      (value) => text.encode(JSON.stringify(value)),
      (bytes) => JSON.parse(untext.decode(bytes)),
    ),
    contender(
      'protobuf-es',
      raw.map((value) => protobuf.message(value)),
      protobuf.encode,
      protobuf.decode,
    ),
  ];
  return { name, contenders };
}

const numbers = (length: number) => Array.from({ length }, (_, i) => i);
const indexes = numbers(VALUES);
const shapes: readonly (() => Shape)[] = [
  () =>
    shape(
      'heartbeat',
      BondMessage,
      indexes.map((): BondMessage => ({ type: 'Ping' })),
      protobufShapes.heartbeat,
    ),
  () => shape('peer entry', SignedPeerEntry, indexes.map(sampleEntry), protobufShapes.entry),
  () => shape('append 64 × 100 B', RaftMessage, indexes.map(sampleAppend), protobufShapes.append),
  // Made last, as it makes ours forget the ids of the others.
  () =>
    shape('entry of new ids', SignedPeerEntry, numbers(NEW_ENTRIES).map(sampleEntry), protobufShapes.entry),
];

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as (options: { type: 'minor' }) => void;

/** Time of the processor that this process took, in ms: what else the machine does meanwhile is not in it. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Calls per second over about `SLICE_MS` of the processor. */
function rate(call: (index: number) => unknown, calls: number): number {
  // What the contender before left behind is not this one's to clear away.
  collect({ type: 'minor' });
  const startedMs = cpuMs();
  let done = 0;
  let elapsedMs = 0;
  let length = 0;
  do {
    for (let i = 0; i < calls; i += 1) length += call(done + i) === undefined ? 0 : 1;
    done += calls;
    elapsedMs = cpuMs() - startedMs;
  } while (elapsedMs < SLICE_MS);
  if (length !== done) throw new Error('a call gave nothing');
  return (done * 1000) / elapsedMs;
}

async function run({ report }: BenchContext): Promise<void> {
  for (const makeShape of shapes) {
    const { name, contenders } = makeShape();
    for (const direction of ['encode', 'decode'] as const) {
      const rates = contenders.map((): number[] => []);
      const order = contenders.map((contender, i) => ({ contender, i }));
      for (let round = -3; round < ROUNDS; round += 1) {
        // Interleaved, and each time another one first: what the machine does meanwhile meets all of them.
        order.push(...order.splice(0, 1));
        for (const { contender, i } of order) {
          const perSecond = rate(contender[direction], 256);
          if (round >= 0) rates[i]?.push(perSecond);
        }
      }
      const [ours = Number.NaN, ...others] = rates.map(median);
      const best = new Map<string, number>();
      others.forEach((value, i) => {
        const peer = contenders[i + 1]?.name ?? '';
        best.set(peer, Math.max(value, best.get(peer) ?? 0));
      });
      for (const [peer, peerValue] of best)
        report({
          metric: `${direction} ${name}`,
          value: ours,
          unit: '/s',
          peer,
          ratio: ours / peerValue,
          peerValue,
        });
    }
  }
}

/** Ours against four others on four messages, in one process: what one core encodes or decodes per second. */
export const bench: Bench = { name: 'codec', roles: {}, run };
