import type { PeerDirectory } from '@mosaik/bonds';
import type { GroupId } from '@mosaik/wire';

/** What groups need of discovery: who is there, and a way to say which groups this node is in. */
export interface GroupDirectory extends PeerDirectory {
  /** Names the group in the local peer entry, so that other members find this node. */
  addGroup(group: GroupId): void;
  removeGroup(group: GroupId): void;
}
