import * as wire from '@mosaik/wire';
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

type Kinds = { type: string; value?: unknown };
/** Every kind of variant, one of which holds another. */
const Kinds: Schema<Kinds> = variants('Kinds', {
  Unit: null,
  Newtype: u16,
  Tuple: tuple(u8, str()),
  Struct: { on: bool, at: i32 },
  Empty: {},
  Nested: {
    ...unit,
    minBytes: 1,
    write: (writer: wire.Writer, value: Kinds) => Kinds.write(writer, value),
    read: (reader: wire.Reader): Kinds => Kinds.read(reader),
  } as unknown as Schema<Kinds>,
}) as Schema<Kinds>;

/** The schemas that are no messages, as tooling/vectors/src/primitives.rs calls them. */
export const others: Readonly<Record<string, unknown>> = {
  bool,
  u8,
  u16,
  u32,
  u64,
  u128,
  safeU64,
  i8,
  i16,
  i32,
  i64,
  i128,
  f32,
  f64,
  char,
  unit,
  str: str(),
  bytes: bytes(),
  'fixedBytes(0)': fixedBytes(0),
  'fixedBytes(3)': fixedBytes(3),
  'option(u16)': option(u16),
  'option(str)': option(str()),
  'tuple(bool,u16,str)': tuple(bool, u16, str()),
  'tuple(u8,str)': tuple(u8, str()),
  'vec(u16)': vec(u16),
  'vec(unit)': vec(unit),
  'vec(vec(str))': vec(vec(str())),
  'orderedSet(str)': orderedSet(str()),
  'map(str,u16)': map(str(), u16),
  'map(u64,option(str))': map(u64, option(str())),
  Empty: struct('Empty', {}),
  Nested: struct('Nested', {
    name: str(),
    inner: struct('Inner', { flag: bool, nothing: unit }),
    after: option(u8),
  }),
  Kinds,
};

/** The schema that a vector is of. */
export function schemaOf(name: string): Schema<never> {
  const found = others[name] ?? (wire as Readonly<Record<string, unknown>>)[name];
  if (!found) throw new Error(`no schema "${name}"`);
  return found as Schema<never>;
}
