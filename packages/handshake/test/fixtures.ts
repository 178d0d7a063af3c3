import {
  type GroupId,
  idFromBytes,
  type NetworkId,
  type PeerId,
  SignedPeerEntry,
  UniqueId,
} from '@mosaik/wire';
import { VirtualClock } from '@mosaik/wire/testing';
import { type AcceptHandshakeOptions, GroupKey, type InitiateHandshakeOptions } from '../src/index.ts';

export const NETWORK = UniqueId.from<NetworkId>('test-network');
export const GROUP = UniqueId.from<GroupId>('test-group');
export const ALICE = UniqueId.from<PeerId>('alice');
export const BOB = UniqueId.from<PeerId>('bob');
export const KEY = GroupKey.from(new Uint8Array(32).fill(7));
export const OTHER_KEY = GroupKey.from(new Uint8Array(32).fill(8));

/** What a TLS exporter would give: differs by channel and by group. */
export function exporter(channel: string): (groupId: GroupId) => Uint8Array {
  return (groupId) => Buffer.from(UniqueId.from(`${channel} ${groupId}`), 'hex');
}

/** Alice dials Bob. */
export function initiatorOptions(
  overrides: Partial<InitiateHandshakeOptions> = {},
): InitiateHandshakeOptions {
  return {
    networkId: NETWORK,
    groupId: GROUP,
    groupKey: KEY,
    sessionSecret: exporter('channel 1')(GROUP),
    localId: ALICE,
    remoteId: BOB,
    bonds: [],
    clock: new VirtualClock(),
    ...overrides,
  };
}

/** Bob answers Alice. */
export function acceptorOptions(overrides: Partial<AcceptHandshakeOptions> = {}): AcceptHandshakeOptions {
  return {
    networkId: NETWORK,
    groups: (groupId) => (groupId === GROUP ? KEY : undefined),
    sessionSecret: exporter('channel 1'),
    localId: BOB,
    remoteId: ALICE,
    bonds: [],
    clock: new VirtualClock(),
    ...overrides,
  };
}

export function entryOf(name: string, tickets = 0): SignedPeerEntry {
  return {
    entry: {
      peerId: UniqueId.from<PeerId>(name),
      protocolVersion: 1,
      networkId: NETWORK,
      version: { startMs: 1, updateMs: 2 },
      addresses: ['127.0.0.1:7400'],
      tags: [],
      groups: [GROUP],
      tickets: Array.from({ length: tickets }, () => ({
        ticketClass: UniqueId.from<UniqueId>('class'),
        data: new Uint8Array(4000),
      })),
      departed: false,
    },
    signature: new Uint8Array(64),
  };
}

export { idFromBytes, SignedPeerEntry };
