import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';
import { createServer } from 'node:net';
import { join } from 'node:path';

export interface EtcdInit {
  /** Where the members keep their logs. */
  readonly directory: string;
  readonly heartbeatIntervalMs?: number;
  readonly electionTimeoutMs?: number;
}

interface EtcdMember {
  readonly name: string;
  readonly clientPort: number;
  start(): void;
  readonly process: () => ChildProcess | undefined;
}

/** Whether Debian's etcd is on this machine. */
export function etcdInstalled(): boolean {
  return spawnSync('etcd', ['--version']).status === 0;
}

/** Three members of etcd on loopback, each a process. */
export class EtcdCluster {
  readonly #members: EtcdMember[];
  readonly #directory: string;

  private constructor(members: EtcdMember[], directory: string) {
    this.#members = members;
    this.#directory = directory;
    process.once('exit', this.#abandon);
  }

  static async start({
    directory,
    heartbeatIntervalMs = 100,
    electionTimeoutMs = 1000,
  }: EtcdInit): Promise<EtcdCluster> {
    const data = mkdtempSync(join(directory, 'mosaik-bench-etcd-'));
    const ports = await freePorts(6);
    const peerUrl = (i: number) => `http://127.0.0.1:${ports[i]}`;
    const initial = [0, 1, 2].map((i) => `m${i}=${peerUrl(i)}`).join(',');
    const members = [0, 1, 2].map((i): EtcdMember => {
      const clientPort = ports[3 + i] ?? 0;
      const clientUrl = `http://127.0.0.1:${clientPort}`;
      let child: ChildProcess | undefined;
      return {
        name: `m${i}`,
        clientPort,
        process: () => child,
        start() {
          child = spawn(
            'etcd',
            [
              ...['--name', `m${i}`, '--data-dir', join(data, `m${i}`), '--log-level', 'error'],
              ...['--listen-peer-urls', peerUrl(i), '--initial-advertise-peer-urls', peerUrl(i)],
              ...['--listen-client-urls', clientUrl, '--advertise-client-urls', clientUrl],
              ...['--initial-cluster', initial, '--initial-cluster-state', 'new'],
              ...['--heartbeat-interval', `${heartbeatIntervalMs}`],
              ...['--election-timeout', `${electionTimeoutMs}`],
            ],
            { stdio: 'ignore' },
          );
        },
      };
    });
    const cluster = new EtcdCluster(members, data);
    for (const member of members) member.start();
    await cluster.leader();
    return cluster;
  }

  /** The member that leads, once all three agree on it. */
  async leader(): Promise<EtcdMember> {
    const deadlineMs = performance.now() + 30_000;
    for (;;) {
      const states = await Promise.all(this.#members.map((member) => status(member.clientPort)));
      const leader = states[0]?.leader;
      const at = states.findIndex((state) => state !== undefined && state.id === leader);
      const member = this.#members[at];
      if (member && leader !== '0' && states.every((state) => state?.leader === leader)) return member;
      if (performance.now() > deadlineMs) throw new Error('etcd elected no leader in 30 s');
      await new Promise<void>((resolve) => setTimeout(resolve, 20));
    }
  }

  async follower(): Promise<EtcdMember> {
    const leader = await this.leader();
    return this.#members.find((member) => member !== leader) ?? leader;
  }

  async stop(): Promise<void> {
    process.off('exit', this.#abandon);
    await Promise.all(this.#members.map((member) => end(member.process())));
    this.#forget();
  }

  /** A benchmark that ends early leaves no process behind. */
  readonly #abandon = () => {
    for (const member of this.#members) member.process()?.kill('SIGKILL');
    this.#forget();
  };

  #forget(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** Raw gRPC over one HTTP/2 connection: what the fastest client in Node would do. */
export class EtcdClient {
  readonly #session: ClientHttp2Session;

  constructor(port: number) {
    this.#session = connect(`http://127.0.0.1:${port}`, { peerMaxConcurrentStreams: 1000 });
    this.#session.on('error', () => {});
  }

  /** etcdserverpb.PutRequest { key = 1, value = 2 } */
  put(key: string, value: Uint8Array): Promise<void> {
    return this.#call('/etcdserverpb.KV/Put', [field(1, Buffer.from(key)), field(2, value)]);
  }

  /** etcdserverpb.RangeRequest { key = 1 }: linearizable. */
  get(key: string): Promise<void> {
    return this.#call('/etcdserverpb.KV/Range', [field(1, Buffer.from(key))]);
  }

  close(): void {
    this.#session.destroy();
  }

  #call(path: string, fields: Buffer[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const message = Buffer.concat(fields);
      const prefix = Buffer.alloc(5);
      prefix.writeUInt32BE(message.length, 1);
      const stream = this.#session.request({
        ':method': 'POST',
        ':path': path,
        'content-type': 'application/grpc',
        te: 'trailers',
      });
      stream.on('trailers', (trailers) => {
        if (trailers['grpc-status'] === '0') resolve();
        else reject(new Error(`etcd answered ${String(trailers['grpc-message'])}`));
      });
      stream.on('response', (headers) => {
        if (headers['grpc-status'] !== undefined && headers['grpc-status'] !== '0')
          reject(new Error(`etcd answered ${String(headers['grpc-message'])}`));
      });
      stream.on('error', reject);
      stream.on('close', () => reject(new Error('the call ended without an answer')));
      stream.resume();
      stream.end(Buffer.concat([prefix, message]));
    });
  }
}

/** A length-delimited protobuf field. */
function field(number: number, bytes: Uint8Array): Buffer {
  const length: number[] = [];
  for (let rest = bytes.length; ; rest >>>= 7) {
    length.push(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest);
    if (rest <= 0x7f) break;
  }
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), bytes]);
}

async function status(port: number): Promise<{ id: string; leader: string } | undefined> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/v3/maintenance/status`, {
      method: 'POST',
      body: '{}',
      signal: AbortSignal.timeout(1000),
    });
    const body = (await response.json()) as { header: { member_id: string }; leader?: string };
    return { id: body.header.member_id, leader: body.leader ?? '0' };
  } catch {
    return undefined;
  }
}

/** Ends a process and waits for its end. */
export async function end(
  child: ChildProcess | undefined,
  signal: NodeJS.Signals = 'SIGKILL',
): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill(signal);
  await exited;
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports: number[] = [];
  for (const server of servers) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address && typeof address === 'object') ports.push(address.port);
  }
  for (const server of servers) server.close();
  return ports;
}
