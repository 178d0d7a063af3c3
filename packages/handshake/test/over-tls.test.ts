import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import tls from 'node:tls';
import { CloseCode } from '@mosaik/wire';
import { afterEach, describe, expect, it } from 'vitest';
import {
  channelOver,
  createIdentity,
  type Identity,
  main,
  remoteIdOf,
  sessionSecretOf,
  tlsOptions,
} from '../examples/over-tls.mjs';
import { acceptHandshake, type GroupKey, initiateHandshake } from '../src/index.ts';
import { GROUP, KEY, NETWORK, OTHER_KEY } from './fixtures.ts';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

async function connected(dialler: Identity, listener: Identity): Promise<[tls.TLSSocket, tls.TLSSocket]> {
  const server = tls.createServer(tlsOptions(listener)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const dialled = tls.connect({ ...tlsOptions(dialler), port, host: '127.0.0.1' });
  const [[accepted]] = await Promise.all([once(server, 'secureConnection'), once(dialled, 'secureConnect')]);
  for (const socket of [dialled, accepted]) socket.on('error', () => {});
  cleanups.push(() => {
    dialled.destroy();
    accepted.destroy();
    server.close();
  });
  return [dialled, accepted];
}

function initiate(socket: tls.TLSSocket, identity: Identity, groupKey: GroupKey = KEY) {
  return initiateHandshake(channelOver(socket), {
    networkId: NETWORK,
    groupId: GROUP,
    groupKey,
    sessionSecret: sessionSecretOf(socket, GROUP),
    localId: identity.id,
    remoteId: remoteIdOf(socket),
    incarnation: 1n,
  });
}

function accept(socket: tls.TLSSocket, identity: Identity) {
  return acceptHandshake(channelOver(socket), {
    networkId: NETWORK,
    groups: (id) => (id === GROUP ? KEY : undefined),
    sessionSecret: (id) => sessionSecretOf(socket, id),
    localId: identity.id,
    remoteId: remoteIdOf(socket),
    incarnation: 2n,
  });
}

describe('over node:tls with exportKeyingMaterial', () => {
  it('the example runs', async () => {
    const lines: string[] = [];
    const { initiatorSays, acceptorSays, groupId } = await main((line: string) => lines.push(line));
    expect(initiatorSays.groupId).toBe(groupId);
    expect(acceptorSays.groupId).toBe(groupId);
    expect(lines).toHaveLength(1);
  });

  it('both sides prove the key on one TLS 1.3 connection', async () => {
    const [alice, bob] = [createIdentity(), createIdentity()];
    const [dialled, accepted] = await connected(alice, bob);
    expect(dialled.getProtocol()).toBe('TLSv1.3');
    const [a, b] = await Promise.all([initiate(dialled, alice), accept(accepted, bob)]);
    expect([a.incarnation, b.incarnation]).toEqual([2n, 1n]);
  });

  it('the wrong key is refused with InvalidProof at both ends', async () => {
    const [alice, bob] = [createIdentity(), createIdentity()];
    const [dialled, accepted] = await connected(alice, bob);
    const [a, b] = await Promise.allSettled([initiate(dialled, alice, OTHER_KEY), accept(accepted, bob)]);
    expect(a).toMatchObject({ reason: { closeCode: CloseCode.InvalidProof, remote: true } });
    expect(b).toMatchObject({ reason: { closeCode: CloseCode.InvalidProof, remote: false } });
  });

  it('a peer that terminates TLS on both sides cannot relay the proofs, though it relays every byte', async () => {
    const [alice, bob, mallory] = [createIdentity(), createIdentity(), createIdentity()];
    const [aliceSide, malloryFront] = await connected(alice, mallory);
    const [malloryBack, bobSide] = await connected(mallory, bob);
    malloryFront.pipe(malloryBack).pipe(malloryFront);
    const [a, b] = await Promise.allSettled([initiate(aliceSide, alice), accept(bobSide, bob)]);
    expect(b).toMatchObject({ reason: { code: 'invalid-proof', closeCode: CloseCode.InvalidProof } });
    expect(a).toMatchObject({ reason: { closeCode: CloseCode.InvalidProof } });
  });
});
