import { readFileSync } from 'node:fs';
import { unhex } from './hex.ts';

/** One value of one schema and its encoding by the Rust crate postcard. */
export interface Vector {
  schema: string;
  bytes: Uint8Array;
  value: unknown;
}

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

interface File {
  values: { schema: string; bytes: string; value: Json }[];
  hashes: Record<string, string>;
}

const file: File = JSON.parse(
  readFileSync(new URL('../../../tooling/vectors/vectors.json', import.meta.url), 'utf8'),
);

export const vectors: readonly Vector[] = file.values.map(({ schema, bytes, value }) => ({
  schema,
  bytes: unhex(bytes),
  value: parseValue(value),
}));

/** Ids and digests by what they are of, from the Rust crate blake3. */
export const hashes: Readonly<Record<string, string>> = file.hashes;

/** The value that `json` stands for (tooling/vectors/README.md). */
function parseValue(json: Json): unknown {
  if (json === null) return undefined;
  if (typeof json !== 'object') return json;
  if (Array.isArray(json)) return json.map(parseValue);
  const [[kind, content] = ['', null]] = Object.entries(json);
  if (kind === '$map')
    return new Map((content as [Json, Json][]).map(([k, v]) => [parseValue(k), parseValue(v)]));
  const text = String(content);
  if (kind === '$int') return BigInt(text);
  if (kind === '$hex') return unhex(text);
  if (kind === '$f32') return dataView(text).getFloat32(0);
  if (kind === '$f64') return dataView(text).getFloat64(0);
  return Object.fromEntries(Object.entries(json).map(([name, field]) => [name, parseValue(field)]));
}

function dataView(hex: string): DataView {
  return new DataView(unhex(hex).buffer);
}
