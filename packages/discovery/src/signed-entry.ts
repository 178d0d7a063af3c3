import { type SecretKey, verifySignature } from '@mosaik/transport';
import { isId, MAX_PEER_ENTRY_BYTES, type PeerEntry, type PeerId, SignedPeerEntry } from '@mosaik/wire';
import { signedBytes } from './core/entry.ts';

/**
 * Signs an entry with its subject's key.
 *
 * @throws TypeError when the key is not the subject's, RangeError when the result is above 16 KiB, WireError when the
 * entry does not fit its schema.
 */
export function signEntry(entry: PeerEntry, secretKey: SecretKey): SignedPeerEntry {
  if (entry.peerId !== secretKey.id) throw new TypeError('an entry is signed by its own subject');
  const signed = { entry, signature: Uint8Array.from(secretKey.sign(signedBytes(entry))) };
  const size = SignedPeerEntry.encode(signed).length;
  if (size > MAX_PEER_ENTRY_BYTES) {
    throw new RangeError(`a signed entry has at most ${MAX_PEER_ENTRY_BYTES} bytes, got ${size}`);
  }
  return signed;
}

/** Whether an entry is at most 16 KiB, signed by its subject and, if given, about `expect`. Never throws. */
export function verifyEntry(signed: SignedPeerEntry, options: { expect?: PeerId | undefined } = {}): boolean {
  try {
    const { peerId } = signed.entry;
    if (!isId(peerId) || (options.expect !== undefined && options.expect !== peerId)) return false;
    if (SignedPeerEntry.encode(signed).length > MAX_PEER_ENTRY_BYTES) return false;
    return verifySignature(peerId, signedBytes(signed.entry), signed.signature);
  } catch {
    return false;
  }
}
