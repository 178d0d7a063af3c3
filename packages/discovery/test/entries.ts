import { type PeerEntry, PROTOCOL_VERSION, type SignedPeerEntry } from '@mosaik/wire';
import { signEntry } from '../src/index.ts';
import { NETWORK, testKey } from './world.ts';

export const WALL_MS = Date.UTC(2030, 0, 1);

/** The signed entry of the peer with this number; `updateMs` counts from `WALL_MS`. */
export function testEntry(number: number, updateMs = 0, change: Partial<PeerEntry> = {}): SignedPeerEntry {
  const key = testKey(number);
  return signEntry(
    {
      peerId: key.id,
      protocolVersion: PROTOCOL_VERSION,
      networkId: NETWORK,
      version: { startMs: WALL_MS, updateMs: WALL_MS + updateMs },
      addresses: [`127.0.0.1:${7000 + number}`],
      tags: [],
      groups: [],
      tickets: [],
      departed: false,
      ...change,
    },
    key,
  );
}
