import { idBytes, MAX_HANDSHAKE_BONDS_BYTES, SignedPeerEntry, vec } from '@mosaik/wire';
import { blake3 } from '@noble/hashes/blake3.js';
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { channelKey, type ProofInit } from './proof.ts';

const BONDS_CONTEXT = utf8ToBytes('mosaik/groups/1 bonds');
/** More entries than fit the bytes; the decoder's bound. */
const MAX_ENTRIES = 512;
/** Of the sequence's length prefix: a varint below 2^14. */
const PREFIX_BYTES = 2;

const BondsList = vec(SignedPeerEntry, { max: MAX_ENTRIES });

/**
 * Encrypts the entries of the sender's bonded peers, as many of them, in order, as fit 48 KiB: what a group looks like
 * is shown only to those who know its key.
 *
 * A key stream from BLAKE3's XOF, used once per channel and sender. It hides and does not authenticate: the channel does.
 */
export function sealBonds(entries: readonly SignedPeerEntry[], init: ProofInit): Uint8Array {
  const fitting: SignedPeerEntry[] = [];
  let size = PREFIX_BYTES;
  for (const entry of entries) {
    size += SignedPeerEntry.encode(entry).length;
    if (size > MAX_HANDSHAKE_BONDS_BYTES || fitting.length === MAX_ENTRIES) break;
    fitting.push(entry);
  }
  return applyKeyStream(BondsList.encode(fitting), init);
}

/** Decrypts what `init.prover` sealed. The entries' own signatures are not checked. @throws WireError */
export function openBonds(sealed: Uint8Array, init: ProofInit): SignedPeerEntry[] {
  return BondsList.decode(applyKeyStream(sealed, init));
}

function applyKeyStream(bytes: Uint8Array, { groupKey, sessionSecret, prover }: ProofInit): Uint8Array {
  const key = channelKey(groupKey, sessionSecret);
  const stream = blake3(concatBytes(BONDS_CONTEXT, idBytes(prover)), { key, dkLen: bytes.length });
  for (let i = 0; i < stream.length; i += 1) stream[i] = (stream[i] ?? 0) ^ (bytes[i] ?? 0);
  return stream;
}
