import { Socket } from 'node:dgram';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CloseCode } from '@mosaik/wire';
import { afterEach, expect, it, vi } from 'vitest';
import { createQuicTransport, quicTransport } from '../src/quic/index.ts';
import { SecretKey } from '../src/secret-key.ts';
import { ALPN, accept, pattern, withPair } from '../src/testing/pair.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

/** The host refuses datagrams that `refuses` names by a code, as `sendmsg` would. */
function refuse(refuses: (length: number) => string | undefined): void {
  const { send } = Socket.prototype;
  vi.spyOn(Socket.prototype, 'send').mockImplementation(function (this: Socket, ...args: unknown[]) {
    const [, , length, port, address, callback] = args as [unknown, unknown, number, number, string, unknown];
    const code = refuses(length);
    if (code === undefined) {
      (send as (...all: unknown[]) => void).apply(this, args);
      return;
    }
    const error = Object.assign(new Error(`send ${code}`), { code, address, port });
    if (typeof callback === 'function') process.nextTick(callback as (error: Error) => void, error);
  });
}

for (const code of ['ENETUNREACH', 'EMSGSIZE', 'EPERM']) {
  it(`rejects a dial with 'unavailable' at once when the host answers ${code}`, () =>
    withPair(quicTransport, async ({ a, addressOfB }) => {
      refuse(() => code);
      await expect(a.connect(addressOfB, ALPN)).rejects.toMatchObject({
        code: 'unavailable',
        cause: { code },
      });
      vi.restoreAllMocks();
    }));
}

it('takes ENETUNREACH for a loss on a connection: what was written arrives when the network is back', () =>
  withPair(quicTransport, async ({ connect }) => {
    const [ours, theirs] = await connect();
    const link = await ours.openLink();
    let refused = 0;
    refuse(() => (refused++ < 3 ? 'ENETUNREACH' : undefined));
    await link.send(pattern(3000));
    expect(await (await theirs.acceptLink()).receive()).toEqual(pattern(3000));
    expect(refused).toBeGreaterThan(3);
  }));

it('ends a connection with 103 when its datagrams are too large for the network (EMSGSIZE)', () =>
  withPair(quicTransport, async ({ connect }) => {
    const [ours] = await connect();
    const link = await ours.openLink();
    refuse((length) => (length > 1400 ? 'EMSGSIZE' : undefined));
    link.write(pattern(100_000));
    const { code, reason } = await ours.closed;
    expect(code).toBe(CloseCode.UnexpectedClose);
    expect(reason).toContain('maxDatagramBytes');
    vi.restoreAllMocks();
  }));

it('carries frames between IPv6 endpoints', () =>
  withPair(
    quicTransport,
    async ({ addressOfB, connect }) => {
      expect(addressOfB).toMatch(/^\[::1\]:\d+$/);
      const [ours, theirs] = await connect();
      await (await ours.openLink()).send(pattern(5000));
      expect(await (await theirs.acceptLink()).receive()).toEqual(pattern(5000));
    },
    { host: '::1' },
  ));

it('accepts IPv4 and IPv6 on one dual-stack endpoint', async () => {
  const listen = (host: string) =>
    quicTransport.listen({ secretKey: SecretKey.generate(), host, alpns: [ALPN] });
  const [both, four, six] = [await listen('::'), await listen('127.0.0.1'), await listen('::1')];
  const port = both.addresses[0]?.split(':').at(-1);
  for (const [from, address] of [
    [four, `127.0.0.1:${port}`],
    [six, `[::1]:${port}`],
  ] as const) {
    const [ours, theirs] = await Promise.all([from.connect(address, ALPN), accept(both)]);
    expect([ours.remoteId, theirs.remoteId]).toEqual([both.id, from.id]);
    expect(theirs.remoteAddress).not.toContain('ffff');
  }
  await Promise.all([both.close(), four.close(), six.close()]);
});

it('exports from a key log in a directory where memory has none, and leaves nothing there', async () => {
  const keylogDirectory = mkdtempSync(join(tmpdir(), 'keylog-test-'));
  await withPair(createQuicTransport({ keylogDirectory }), async ({ connect }) => {
    const [ours, theirs] = await connect();
    expect(readdirSync(keylogDirectory)).toEqual([]);
    const context = Uint8Array.of(1);
    expect(ours.exportKeyingMaterial('EXPORTER-x', context, 32)).toEqual(
      theirs.exportKeyingMaterial('EXPORTER-x', context, 32),
    );
  });
  rmSync(keylogDirectory, { recursive: true });
});
