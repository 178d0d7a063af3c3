import { blake3 } from '@noble/hashes/blake3.js';
import { hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { readId } from './codec/id-text.ts';

declare const brand: unique symbol;

/** 32 bytes as 64 lower-case hex characters: usable as a Map key, comparable with `===`, printable, JSON-safe. */
export type Id<Brand extends string> = string & { readonly [brand]: Brand };

/** A 32-byte name of anything: a network, a tag, a ticket class, a state machine's signature. */
export type UniqueId = Id<'UniqueId'>;
/** A peer's Ed25519 public key. */
export type PeerId = Id<'PeerId'>;
export type NetworkId = Id<'NetworkId'>;
export type GroupId = Id<'GroupId'>;
export type BondId = Id<'BondId'>;

const HEX_ID = /^[0-9a-f]{64}$/i;

/** Whether `text` spells an id: 64 hex digits of either case. */
export function isId(text: string): boolean {
  return HEX_ID.test(text);
}

/**
 * Takes 64 hex digits as an id of the kind the caller asks for.
 *
 * @throws TypeError when `text` is anything else.
 */
export function parseId<I extends Id<string>>(text: string): I {
  if (!isId(text))
    throw new TypeError(`expected an id of 64 hex digits, got ${JSON.stringify(text.slice(0, 80))}`);
  return text.toLowerCase() as I;
}

/** The id whose 32 bytes these are. Borrows nothing. @throws RangeError for any other length. */
export function idFromBytes<I extends Id<string>>(bytes: Uint8Array): I {
  if (bytes.length !== 32) throw new RangeError(`an id has 32 bytes, got ${bytes.length}`);
  return readId(bytes, 0) as I;
}

/** The 32 bytes of an id, freshly allocated. */
export function idBytes(id: Id<string>): Uint8Array {
  return hexToBytes(id);
}

/** BLAKE3 of the id's bytes. */
export function hashed<I extends Id<string> = UniqueId>(id: Id<string>): I {
  return idFromBytes<I>(blake3(idBytes(id)));
}

/** `blake3(id ‖ data)`; an id as `data` stands for its 32 bytes, other strings for their UTF-8. */
export function derive<I extends Id<string> = UniqueId>(
  id: Id<string>,
  data: Id<string> | string | Uint8Array,
): I {
  return idFromBytes<I>(blake3.create().update(idBytes(id)).update(toBytes(data)).digest());
}

export const UniqueId = {
  /** 64 hex digits are decoded; any other string (as UTF-8), or bytes, are hashed with BLAKE3. */
  from<I extends Id<string> = UniqueId>(name: string | Uint8Array): I {
    if (typeof name === 'string' && isId(name)) return name.toLowerCase() as I;
    return idFromBytes<I>(blake3(typeof name === 'string' ? utf8ToBytes(name) : name));
  },
  derive,
  hashed,
} as const;

function toBytes(data: string | Uint8Array): Uint8Array {
  if (typeof data !== 'string') return data;
  return isId(data) ? hexToBytes(data) : utf8ToBytes(data);
}
