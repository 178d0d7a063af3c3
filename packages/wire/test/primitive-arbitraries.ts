import {
  bool,
  bytes,
  char,
  f32,
  f64,
  fixedBytes,
  i8,
  i16,
  i32,
  i64,
  i128,
  id,
  idFromBytes,
  map,
  option,
  orderedSet,
  type Schema,
  safeU64,
  str,
  struct,
  tuple,
  u8,
  u16,
  u32,
  u64,
  u128,
  unit,
  variants,
  vec,
} from '@mosaik/wire';
import fc from 'fast-check';
import type { Case } from './arbitraries.ts';

const of = <T>(schema: Schema<T>, values: fc.Arbitrary<T>) => ({ schema, values }) as Case<unknown>;

const unsigned = (bits: number) => fc.integer({ min: 0, max: 2 ** bits - 1 });
const signed = (bits: number) => fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 });
const unsignedBig = (bits: bigint) => fc.bigInt({ min: 0n, max: 2n ** bits - 1n });
const signedBig = (bits: bigint) => fc.bigInt({ min: -(2n ** (bits - 1n)), max: 2n ** (bits - 1n) - 1n });
/** Every length of UTF-8, but no lone surrogate. */
const text = fc.string({ unit: 'binary', maxLength: 40 });
const raw = fc.uint8Array({ maxLength: 300 });
const ids = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((value) => idFromBytes<never>(value));

const Pair = struct('Pair', { name: str(), count: option(u16) });
const pair = fc.record({ name: text, count: fc.option(unsigned(16), { nil: undefined }) });
const Choice = variants('Choice', {
  Unit: null,
  Newtype: i16,
  Tuple: tuple(bool, str()),
  Struct: { at: u64, pair: Pair },
  Empty: {},
});
const choice = fc.oneof(
  fc.constantFrom({ type: 'Unit' as const }, { type: 'Empty' as const }),
  fc.record({ type: fc.constant('Newtype' as const), value: signed(16) }),
  fc.record({ type: fc.constant('Tuple' as const), value: fc.tuple(fc.boolean(), text) }),
  fc.record({ type: fc.constant('Struct' as const), at: unsignedBig(64n), pair }),
);
const mapOf = <K, V>(keys: fc.Arbitrary<K>, values: fc.Arbitrary<V>) =>
  fc
    .uniqueArray(fc.tuple(keys, values), { maxLength: 6, selector: ([key]) => key })
    .map((pairs) => new Map(pairs));

/** How to make values of every primitive and of every way to combine them, by its name. */
export const primitiveCases: Readonly<Record<string, Case<unknown>>> = {
  bool: of(bool, fc.boolean()),
  u8: of(u8, unsigned(8)),
  u16: of(u16, unsigned(16)),
  u32: of(u32, unsigned(32)),
  u64: of(u64, unsignedBig(64n)),
  u128: of(u128, unsignedBig(128n)),
  safeU64: of(safeU64, fc.maxSafeNat()),
  i8: of(i8, signed(8)),
  i16: of(i16, signed(16)),
  i32: of(i32, signed(32)),
  i64: of(i64, signedBig(64n)),
  i128: of(i128, signedBig(128n)),
  f32: of(f32, fc.float()),
  f64: of(f64, fc.double()),
  char: of(char, fc.string({ unit: 'binary', minLength: 1, maxLength: 1 })),
  str: of(str(), text),
  bytes: of(bytes(), raw),
  fixedBytes: of(fixedBytes(5), fc.uint8Array({ minLength: 5, maxLength: 5 })),
  'fixedBytes, none': of(fixedBytes(0), fc.constant(new Uint8Array(0))),
  id: of(id<never>(), ids),
  unit: of(unit, fc.constant(undefined)),
  option: of(option(i64), fc.option(signedBig(64n), { nil: undefined })),
  'option of text': of(option(str()), fc.option(text, { nil: undefined })),
  vec: of(vec(u16), fc.array(unsigned(16), { maxLength: 200 })),
  'vec of vec': of(vec(vec(bytes())), fc.array(fc.array(raw, { maxLength: 3 }), { maxLength: 4 })),
  'vec of unit': of(vec(unit), fc.array(fc.constant(undefined), { maxLength: 300 })),
  'orderedSet of ids': of(
    orderedSet(id<never>()),
    fc.uniqueArray(ids, { maxLength: 4 }).map((set) => set.sort()),
  ),
  'orderedSet of text': of(
    orderedSet(str()),
    fc.uniqueArray(text, { maxLength: 8 }).map((set) => set.sort(compareUtf8)),
  ),
  'map of text': of(map(str(), Pair), mapOf(text, pair)),
  'map of numbers': of(
    map(u64, option(bool)),
    mapOf(unsignedBig(64n), fc.option(fc.boolean(), { nil: undefined })),
  ),
  tuple: of(tuple(bool, i32, str()), fc.tuple(fc.boolean(), signed(32), text)),
  struct: of(Pair, pair),
  'struct without fields': of(struct('Empty', {}), fc.constant({})),
  variants: of(Choice, choice),
  'vec of variants': of(vec(Choice), fc.array(choice, { maxLength: 5 })),
};

function compareUtf8(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
