import { GroupError, type GroupErrorCode } from '@mosaik/groups';
import type { BondId, GroupId, NetworkId, PeerId } from '@mosaik/wire';
import { silentLogger, systemClock } from '@mosaik/wire/runtime';
import type { Hono } from 'hono';
import { createDashboardPage } from '../src/dashboard/page.ts';
import { createHttpApp, type HttpAppInit } from '../src/http/app.ts';
import type {
  NodeHandle,
  ReadAnswer,
  ReadOptions,
  WriteAnswer,
  WriteOptions,
} from '../src/http/node-handle.ts';
import type { NodeStatus, PeerDescription, StateDescription, VotersBody } from '../src/http/node-status.ts';

export const ALICE = 'a1'.repeat(32) as PeerId;
export const BOB = 'b2'.repeat(32) as PeerId;
export const CAROL = 'c3'.repeat(32) as PeerId;
const bondId = (digit: string) => digit.repeat(64) as BondId;

export const STATUS: NodeStatus = {
  peerId: ALICE,
  networkId: '0'.repeat(64) as NetworkId,
  network: 'test',
  groupId: '1'.repeat(64) as GroupId,
  health: 'running',
  role: 'follower',
  term: 7,
  leader: BOB,
  online: true,
  committed: 41,
  applied: 40,
  logPosition: { term: 7, index: 42 },
  quorum: { mode: 'dynamic', have: 3, need: 2 },
  members: [ALICE, BOB, CAROL],
  bonds: [
    { peerId: BOB, bondId: bondId('2'), rttMs: 0.25, ageMs: 61_000 },
    { peerId: CAROL, bondId: bondId('3'), rttMs: null, ageMs: 1_000 },
  ],
  topology: [
    [ALICE, BOB],
    [ALICE, CAROL],
  ],
  addresses: ['127.0.0.1:7400'],
  version: '0.0.0',
  uptimeMs: 1_000,
};

/** A node that holds its map by itself, and fails as told. */
export class FakeNode implements NodeHandle {
  readonly maxValueBytes = 1000;
  current: NodeStatus = STATUS;
  failure: GroupErrorCode | undefined;
  lastRead: ReadOptions | undefined;
  lastWrite: WriteOptions | undefined;
  listeners = new Set<() => void>();
  readonly #entries = new Map<string, { value: Uint8Array; index: number }>();
  #index = 100;

  status(): NodeStatus {
    return this.current;
  }

  async state(): Promise<StateDescription> {
    this.#maybeFail();
    return { digest: 'd'.repeat(64), size: this.#entries.size, applied: this.#index };
  }

  peers(): readonly PeerDescription[] {
    return [{ peerId: BOB, addresses: ['127.0.0.1:1'], tags: [], groups: [], bonded: true }];
  }

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  change(status: Partial<NodeStatus>): void {
    this.current = { ...this.current, ...status };
    for (const listener of this.listeners) listener();
  }

  async read(key: string, options: ReadOptions): Promise<ReadAnswer> {
    this.#maybeFail();
    this.lastRead = options;
    return { entry: this.#entries.get(key) };
  }

  async put(key: string, value: Uint8Array, options: WriteOptions): Promise<WriteAnswer> {
    return this.#write(key, options, (index) => this.#entries.set(key, { value, index }));
  }

  async delete(key: string, options: WriteOptions): Promise<WriteAnswer> {
    return this.#write(key, options, () => this.#entries.delete(key));
  }

  async transferLeadership(to: PeerId | undefined): Promise<void> {
    this.#maybeFail();
    this.change({ leader: to ?? BOB, term: this.current.term + 1 });
  }

  voters(): VotersBody {
    const { quorum, members } = this.current;
    return {
      mode: quorum.mode,
      voters: members,
      genesis: [ALICE],
      witnesses: [],
      learners: [],
      changing: false,
    };
  }

  async addVoter(peer: PeerId): Promise<void> {
    this.#maybeFail();
    this.change({ members: [...this.current.members, peer] });
  }

  async removeVoter(peer: PeerId): Promise<void> {
    this.#maybeFail();
    this.change({ members: this.current.members.filter((member) => member !== peer) });
  }

  #write(key: string, options: WriteOptions, run: (index: number) => void): WriteAnswer {
    this.#maybeFail();
    this.lastWrite = options;
    const { expected } = options;
    const before = this.#entries.get(key)?.index ?? 0;
    if (expected !== undefined && expected !== before) return { type: 'conflict', index: before };
    this.#index += 1;
    run(this.#index);
    return { type: 'done', index: this.#index };
  }

  #maybeFail(): void {
    if (this.failure) throw new GroupError(this.failure, `it is ${this.failure}`);
  }
}

export function createTestApp(node: NodeHandle, init: Partial<HttpAppInit> = {}): Hono {
  return createHttpApp({
    node,
    page: createDashboardPage({ script: 'console.log(1)', style: 'body{}' }),
    metrics: { contentType: 'text/plain; version=0.0.4', metrics: async () => 'mosaik_group_term 7\n' },
    token: undefined,
    loopback: false,
    clock: systemClock,
    logger: silentLogger,
    signal: new AbortController().signal,
    ...init,
  });
}
