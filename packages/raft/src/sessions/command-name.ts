import type { PeerId, UniqueId } from '@mosaik/wire';

/** For whom a session was opened: one life (process) of a member. */
export interface SessionOwner {
  readonly origin: PeerId;
  readonly incarnation: bigint;
}

/**
 * What makes two entries one command, also in logs that parted, where the index of a session's opening differs: that one
 * caller sent it twice, or the key that came with it.
 */
export type CommandName =
  | { readonly owner: SessionOwner; readonly sequence: number }
  | { readonly key: UniqueId; readonly digest: UniqueId };

export function describeName(name: CommandName): string {
  if ('key' in name) return `${name.key} ${name.digest}`;
  return `${name.owner.origin} ${name.owner.incarnation} ${name.sequence}`;
}
