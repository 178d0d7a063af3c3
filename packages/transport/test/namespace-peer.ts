// One end of a connection, as a process of its own in a network namespace: echoes, or sends and checks the echo.
import { SecretKey } from '../src/index.ts';
import type { Connection } from '../src/ports.ts';
import { quicTransport } from '../src/quic/index.ts';
import { ALPN, pattern } from '../src/testing/pair.ts';
import { tlsTransport } from '../src/tls/index.ts';

export const transports = { quic: quicTransport, tls: tlsTransport };

export type Report =
  | { type: 'listening'; address: string }
  | { type: 'echoed'; count: number }
  | { type: 'failed'; code: unknown; closeCode: unknown }
  | { type: 'dialled'; error: unknown }
  | { type: 'ended'; code: number };

export type Order =
  | { type: 'exchange'; address: string; count: number }
  | { type: 'dial'; address: string }
  /** Closes the endpoint, after which nothing keeps the process. */
  | { type: 'close' };

const report = (said: Report) => process.send?.(said);
const message = (index: number) => pattern(4 + ((index * 631) % 3000), index + 1);
const [, , transport = '', host = '', idleTimeoutMs = ''] = process.argv;
const endpoint = await transports[transport as keyof typeof transports].listen({
  secretKey: SecretKey.generate(),
  host,
  alpns: [ALPN],
  idleTimeoutMs: Number(idleTimeoutMs),
  keepAliveMs: 200,
});

function watch(connection: Connection): void {
  void connection.closed.then(({ code }) => report({ type: 'ended', code }));
}

async function echo(connection: Connection): Promise<void> {
  const link = await connection.acceptLink();
  for (let frame = await link.receive(); frame; frame = await link.receive()) await link.send(frame);
}

async function exchange(address: string, count: number): Promise<void> {
  const connection = await endpoint.connect(address, ALPN);
  watch(connection);
  const link = await connection.openLink();
  const writing = (async () => {
    for (let i = 0; i < count; i += 1) await link.send(message(i));
  })();
  const reading = (async () => {
    for (let i = 0; i < count; i += 1) {
      const frame = await link.receive();
      if (!frame || Buffer.compare(frame, message(i)) !== 0)
        throw new Error(`message ${i} came back as another`);
      if ((i + 1) % 20 === 0) report({ type: 'echoed', count: i + 1 });
    }
  })();
  // Neither may wait for ever; reading says why.
  const [read, written] = await Promise.allSettled([reading, writing]);
  for (const end of [read, written]) if (end.status === 'rejected') throw end.reason;
}

const coded = (error: unknown) => error as { code?: unknown; closeCode?: unknown };
process.on('message', (order: Order) => {
  if (order.type === 'exchange') {
    exchange(order.address, order.count).catch((error) =>
      report({ type: 'failed', code: coded(error).code ?? String(error), closeCode: coded(error).closeCode }),
    );
  } else if (order.type === 'dial') {
    endpoint.connect(order.address, ALPN).then(
      () => report({ type: 'dialled', error: undefined }),
      (error) => report({ type: 'dialled', error: coded(error).code }),
    );
  } else void close();
});

async function close(): Promise<void> {
  await endpoint.close();
  process.off('disconnect', exit);
  process.disconnect();
}

const exit = () => process.exit(0);
process.on('disconnect', exit);

report({ type: 'listening', address: endpoint.addresses[0] ?? '' });
try {
  for await (const connection of endpoint.inbound(ALPN)) {
    watch(connection);
    echo(connection).catch(() => {});
  }
} catch {
  // The endpoint was closed.
}
