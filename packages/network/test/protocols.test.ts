import { Network, SecretKey } from '@mosaik/network';
import { quicTransport } from '@mosaik/transport/quic';
import { Alpn } from '@mosaik/wire';
import { expect, it } from 'vitest';

it('offers no protocol that nobody serves: its connections would wait for ever', async () => {
  const listen = { host: '127.0.0.1' };
  await using node = await Network.create({ networkId: 'test', listen });
  const stranger = await quicTransport.listen({
    ...listen,
    secretKey: SecretKey.generate(),
    alpns: Object.values(Alpn),
  });
  const address = node.addresses[0] ?? '';
  try {
    for (const alpn of [Alpn.groups, Alpn.discoverySync, Alpn.discoveryAnnounce])
      expect((await stranger.connect(address, alpn)).remoteId).toBe(node.id);
    await expect(stranger.connect(address, Alpn.discoveryPing)).rejects.toMatchObject({ code: 'alpn' });
  } finally {
    await stranger.close();
  }
});
