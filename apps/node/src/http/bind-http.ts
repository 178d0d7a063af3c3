import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describeError } from '../cli/describe-error.ts';
import { formatHostPort, type HostPort } from '../cli/parse-host-port.ts';
import type { Sourced } from '../cli/settings.ts';
import { UsageError } from '../cli/usage-error.ts';

export interface BoundHttp {
  /** As `http://127.0.0.1:7480`, with the port that was bound. */
  readonly url: string;
  /** What answers from now on; before that, 503. */
  serve(listener: RequestListener): void;
  /** Stops listening, lets requests finish for `graceMs`, then ends what is left. */
  close(graceMs: number): Promise<void>;
}

const LIMITS = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 5_000,
  maxHeaderSize: 16_384,
} as const;
const MAX_CONNECTIONS = 1024;

/** Takes the port before the node joins anything: a busy one must not disturb a group. @throws UsageError */
export async function bindHttp({ value: address, source }: Sourced<HostPort>): Promise<BoundHttp> {
  let listener: RequestListener = (_request, response) => {
    response.writeHead(503, { 'Retry-After': '1', 'Content-Type': 'application/json' });
    response.end(JSON.stringify({ error: 'starting', message: 'the node is starting' }));
  };
  const server = createServer(LIMITS, (request, response) => listener(request, response));
  server.maxConnections = MAX_CONNECTIONS;
  try {
    await listen(server, address);
  } catch (error) {
    throw UsageError.for(source, formatHostPort(address), describeError(error), { cause: error });
  }
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${formatHostPort({ host: address.host, port })}`,
    serve(next) {
      listener = next;
    },
    close: (graceMs) => close(server, graceMs),
  };
}

function listen(server: Server, { host, port }: HostPort): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function close(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const force = setTimeout(() => server.closeAllConnections(), graceMs);
    server.close(() => {
      clearTimeout(force);
      resolve();
    });
    server.closeIdleConnections();
  });
}
