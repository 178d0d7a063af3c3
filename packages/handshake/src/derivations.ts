import {
  type BondId,
  derive,
  type GroupId,
  idBytes,
  idFromBytes,
  type PeerId,
  type UniqueId,
} from '@mosaik/wire';
import { blake3 } from '@noble/hashes/blake3.js';
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import type { GroupKey } from './group-key.ts';

const BOND_CONTEXT = utf8ToBytes('mosaik/groups/1 bond');

/** What all members of a group must share: any difference gives another group. */
export interface GroupIdInit {
  key: GroupKey;
  /** `consensusDigest(config)` of the consensus configuration, 32 bytes. */
  consensusDigest: Uint8Array;
  machineSignature: UniqueId;
  stateSyncSignature: UniqueId;
  /** One per required ticket validator, in the order they were required. */
  validatorSignatures?: readonly UniqueId[] | undefined;
}

/** The group's public name. It tells nothing of the key that a guess of the key could not check. */
export function deriveGroupId(init: GroupIdInit): GroupId {
  let id = idFromBytes<GroupId>(blake3(init.key.exportBytes()));
  id = derive(id, init.consensusDigest);
  id = derive(id, idBytes(init.machineSignature));
  id = derive(id, idBytes(init.stateSyncSignature));
  for (const signature of init.validatorSignatures ?? []) id = derive(id, idBytes(signature));
  return id;
}

/** The name of the bond between two members: the same whichever is given first, computed by each side alone. */
export function deriveBondId(groupKey: GroupKey, a: PeerId, b: PeerId): BondId {
  const [lower, higher] = a < b ? [a, b] : [b, a];
  const message = concatBytes(BOND_CONTEXT, idBytes(lower), idBytes(higher));
  return idFromBytes<BondId>(blake3(message, { key: groupKey.exportBytes() }));
}
