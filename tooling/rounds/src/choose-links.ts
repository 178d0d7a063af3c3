import type { Links } from './links.ts';
import { namespaceLinks } from './namespaces.ts';
import { relayLinks } from './relays.ts';

/** Why members cannot be put in namespaces here; undefined: they can. */
export async function namespacesObstacle(): Promise<string | undefined> {
  try {
    const links = await namespaceLinks(2);
    await links.close();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message.trim() : String(error);
  }
}

/**
 * Gives what makes the links of a group. Of a kind that is asked for; else namespaces and relays in turn, since only
 * relays delay; and only relays where namespaces cannot be made.
 */
export async function chooseLinks(
  kind: Links['kind'] | undefined,
  print: (line: string) => void,
): Promise<(members: number, group: number) => Promise<Links>> {
  if (kind === 'relays') return relayLinks;
  const obstacle = await namespacesObstacle();
  if (obstacle === undefined)
    return (members, group) =>
      kind === 'namespaces' || group % 2 === 0 ? namespaceLinks(members) : relayLinks(members);
  if (kind === 'namespaces') throw new TypeError(`--links namespaces: not possible here: ${obstacle}`);
  print(`cuts by relays only, namespaces cannot be made here: ${obstacle}`);
  return relayLinks;
}
