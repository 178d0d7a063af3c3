import { type GroupId, idBytes, type PeerId } from '@mosaik/wire';
import { blake3 } from '@noble/hashes/blake3.js';
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import type { GroupKey } from './group-key.ts';

const PROOF_CONTEXT = utf8ToBytes('mosaik/groups/1 proof');

export interface ProofInit {
  groupKey: GroupKey;
  groupId: GroupId;
  /** 32 bytes that only the two ends of this one channel know, such as a TLS exporter's output. */
  sessionSecret: Uint8Array;
  /** Whose proof it is: naming the prover stops the other side from sending it back as its own. */
  prover: PeerId;
}

/**
 * Proof of knowledge of the group key, bound to one channel and one prover: BLAKE3 keyed with
 * `sessionSecret ⊕ groupKey`. 32 bytes, fresh.
 *
 * @throws TypeError when `sessionSecret` has not 32 bytes.
 */
export function createProof(init: ProofInit): Uint8Array {
  const message = concatBytes(PROOF_CONTEXT, idBytes(init.groupId), idBytes(init.prover));
  return blake3(message, { key: channelKey(init.groupKey, init.sessionSecret) });
}

/**
 * Whether `proof` is the prover's, in constant time. False, never an exception, whatever bytes a peer sent.
 *
 * @throws TypeError when `sessionSecret`, which is the caller's, has not 32 bytes.
 */
export function verifyProof(init: ProofInit & { proof: Uint8Array }): boolean {
  const expected = createProof(init);
  const { proof } = init;
  if (!(proof instanceof Uint8Array) || proof.length !== expected.length) return false;
  let difference = 0;
  for (let i = 0; i < expected.length; i += 1) difference |= (expected[i] ?? 0) ^ (proof[i] ?? 0);
  return difference === 0;
}

/** `sessionSecret ⊕ groupKey`: known to members of the group on this channel, and to nobody else. */
export function channelKey(groupKey: GroupKey, sessionSecret: Uint8Array): Uint8Array {
  if (!(sessionSecret instanceof Uint8Array) || sessionSecret.length !== 32)
    throw new TypeError('a session secret has 32 bytes');
  const key = groupKey.exportBytes();
  for (let i = 0; i < key.length; i += 1) key[i] = (key[i] ?? 0) ^ (sessionSecret[i] ?? 0);
  return key;
}
