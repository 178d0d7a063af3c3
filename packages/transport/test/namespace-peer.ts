// One end of a connection, as a process of its own in a network namespace: echoes, or sends and checks the echo.
import { SecretKey } from '../src/index.ts';
import type { Connection } from '../src/ports.ts';
import { quicTransport } from '../src/quic/index.ts';
import { ALPN, pattern } from '../src/testing/pair.ts';

export type Report =
  | { type: 'listening'; address: string }
  | { type: 'echoed'; count: number }
  | { type: 'failed'; code: unknown; closeCode: unknown }
  | { type: 'dialled'; error: unknown };

export type Order = { type: 'exchange'; address: string; count: number } | { type: 'dial'; address: string };

const report = (said: Report) => process.send?.(said);
const message = (index: number) => pattern(4 + ((index * 631) % 3000), index + 1);
const [, , host = '', idleTimeoutMs = ''] = process.argv;
const endpoint = await quicTransport.listen({
  secretKey: SecretKey.generate(),
  host,
  alpns: [ALPN],
  idleTimeoutMs: Number(idleTimeoutMs),
  keepAliveMs: 200,
});

async function echo(connection: Connection): Promise<void> {
  const link = await connection.acceptLink();
  for (let frame = await link.receive(); frame; frame = await link.receive()) await link.send(frame);
}

async function exchange(address: string, count: number): Promise<void> {
  const connection = await endpoint.connect(address, ALPN);
  const link = await connection.openLink();
  const writing = (async () => {
    for (let i = 0; i < count; i += 1) await link.send(message(i));
  })();
  // It fails where reading does, which says why.
  writing.catch(() => {});
  for (let i = 0; i < count; i += 1) {
    const frame = await link.receive();
    if (!frame || Buffer.compare(frame, message(i)) !== 0)
      throw new Error(`message ${i} came back as another`);
    if ((i + 1) % 20 === 0) report({ type: 'echoed', count: i + 1 });
  }
}

const coded = (error: unknown) => error as { code?: unknown; closeCode?: unknown };
process.on('message', (order: Order) => {
  if (order.type === 'exchange') {
    exchange(order.address, order.count).catch((error) =>
      report({ type: 'failed', code: coded(error).code ?? String(error), closeCode: coded(error).closeCode }),
    );
  } else {
    endpoint.connect(order.address, ALPN).then(
      () => report({ type: 'dialled', error: undefined }),
      (error) => report({ type: 'dialled', error: coded(error).code }),
    );
  }
});
process.on('disconnect', () => process.exit(0));

report({ type: 'listening', address: endpoint.addresses[0] ?? '' });
for await (const connection of endpoint.inbound(ALPN)) echo(connection).catch(() => {});
