import type { PeerId } from '@mosaik/wire';

/** A pair of peers in rising order. */
export type Edge = readonly [PeerId, PeerId];

export function edgeOf(a: PeerId, b: PeerId): Edge {
  return a < b ? [a, b] : [b, a];
}

/**
 * The group's bonds as one member sees them: its own, and between two others iff each of the two that it is bonded with
 * announces it. What a peer announced is dropped with its bond, so nothing here outlives who said it.
 *
 * `announcements` is what each peer of an own bond announces. Ordered by peers.
 */
export function deriveEdges(
  self: PeerId,
  announcements: ReadonlyMap<PeerId, ReadonlySet<PeerId>>,
): readonly Edge[] {
  const edges: Edge[] = [];
  for (const [announcer, peers] of announcements) {
    edges.push(edgeOf(self, announcer));
    for (const peer of peers) {
      if (peer === self) continue;
      const other = announcements.get(peer);
      // With both ends bonded the edge is seen twice: taken from the lower one.
      if (!other || (announcer < peer && other.has(announcer))) edges.push(edgeOf(announcer, peer));
    }
  }
  return edges.sort(([a, b], [c, d]) => (a === c ? (b < d ? -1 : 1) : a < c ? -1 : 1));
}
