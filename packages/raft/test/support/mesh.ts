import {
  type CompactionOptions,
  type ConsensusOptions,
  consensus,
  type LogStorage,
  type Preference,
  RaftNode,
  type Reverted,
  type StateMachine,
} from '@mosaik/raft';
import { type GroupId, type NetworkId, type PeerId, RaftMessage, safeU64, str, UniqueId } from '@mosaik/wire';
import { type Metrics, silentLogger, silentMetrics } from '@mosaik/wire/runtime';
import { seededRng, VirtualClock } from '@mosaik/wire/testing';

export type TextMachine = StateMachine<string, undefined, number, string>;

/** Remembers every command; outputs it with its place. */
export function textMachine(): TextMachine & { readonly applied: string[] } {
  const applied: string[] = [];
  return {
    applied,
    signature: UniqueId.from('test/text'),
    command: str(),
    result: safeU64,
    output: str(),
    apply(command, { index }) {
      if (command === 'throw') throw new Error('told to');
      applied.push(command);
      return `${index}:${command}`;
    },
    query: () => applied.length,
    snapshot: () => {
      const copy = [...applied];
      return copy.map((text) => str().encode(text));
    },
    restore(bytes) {
      applied.splice(0, applied.length, ...decodeTexts(bytes));
    },
    reset() {
      applied.length = 0;
    },
  };
}

function decodeTexts(bytes: Uint8Array): string[] {
  const texts: string[] = [];
  // Lengths below 128 are one byte.
  for (let at = 0; at < bytes.length; at += 1 + (bytes[at] ?? 0))
    texts.push(new TextDecoder().decode(bytes.subarray(at + 1, at + 1 + (bytes[at] ?? 0))));
  return texts;
}

function forwards(bytes: Uint8Array): boolean {
  const { type } = RaftMessage.decode(bytes).body;
  return type === 'Forward' || type === 'OpenSession';
}

export function meshId(index: number): PeerId {
  return (index + 1).toString(16).padStart(2, '0').repeat(32) as PeerId;
}

function pairOf(a: PeerId, b: PeerId): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}

export type TextNode = RaftNode<string, undefined, number, string>;

/** `RaftNode`s that hand each other their messages under one virtual clock. */
export class Mesh {
  readonly clock: VirtualClock;
  readonly nodes = new Map<PeerId, TextNode>();
  readonly machines = new Map<PeerId, ReturnType<typeof textMachine>>();
  readonly #rng;
  readonly #options: ConsensusOptions;
  readonly #cut = new Set<string>();
  /** Pairs without a bond. */
  readonly #parted = new Map<string, readonly [number, number]>();
  delayMs = 0.1;
  metrics: Metrics = silentMetrics;

  constructor(options: ConsensusOptions = {}, seed = 1, clock = new VirtualClock()) {
    this.clock = clock;
    this.#options = options;
    this.#rng = seededRng(seed);
  }

  async open(
    index: number,
    init: {
      storage?: LogStorage;
      preference?: Preference;
      machine?: ReturnType<typeof textMachine>;
      compaction?: CompactionOptions;
      handleReverted?: (reverted: Reverted<string>) => void;
    } = {},
  ): Promise<TextNode> {
    const localId = meshId(index);
    const machine = init.machine ?? textMachine();
    const node = await RaftNode.open<string, undefined, number, string>({
      localId,
      groupId: 'aa'.repeat(32) as GroupId,
      networkId: 'bb'.repeat(32) as NetworkId,
      config: consensus(this.#options),
      preference: init.preference ?? 'normal',
      machine,
      storage: init.storage,
      compaction: init.compaction,
      handleReverted: init.handleReverted,
      components: {
        clock: this.clock,
        rng: this.#rng,
        logger: silentLogger,
        metrics: this.metrics,
        send: (peer, bytes) => this.#deliver(localId, peer, bytes),
      },
    });
    this.nodes.set(localId, node);
    this.machines.set(localId, machine);
    for (const [peer, other] of this.nodes) {
      if (peer === localId || other.status.value.state === 'closed') continue;
      if (this.#parted.has(pairOf(localId, peer))) continue;
      other.handleBondUp(localId, node.incarnation);
      node.handleBondUp(peer, other.incarnation);
    }
    return node;
  }

  /** The process is gone: the others' bonds with it are lost. */
  async kill(index: number, departed = false): Promise<void> {
    const id = meshId(index);
    const node = this.nodes.get(id);
    this.nodes.delete(id);
    await node?.close();
    for (const [peer, other] of this.nodes)
      if (!this.#parted.has(pairOf(id, peer))) other.handleBondDown(id, departed);
  }

  /** How likely what is forwarded to a leader is to come twice. (Lanes repeat nothing: other messages count on that.) */
  repeats = 0;

  /** Messages pass between the two again. */
  speak(a: number, b: number): void {
    this.#cut.delete(`${meshId(a)}${meshId(b)}`);
    this.#cut.delete(`${meshId(b)}${meshId(a)}`);
  }

  /** From now on nothing passes between the two; their bonds stay. */
  silence(a: number, b: number): void {
    this.#cut.add(`${meshId(a)}${meshId(b)}`).add(`${meshId(b)}${meshId(a)}`);
  }

  /** The bond of the two is lost, whole: while there was one, nothing was lost on it. */
  part(a: number, b: number): void {
    const [one, other] = [meshId(a), meshId(b)];
    if (a === b || this.#parted.has(pairOf(one, other))) return;
    this.#parted.set(pairOf(one, other), [a, b]);
    this.silence(a, b);
    this.nodes.get(one)?.handleBondDown(other, false);
    this.nodes.get(other)?.handleBondDown(one, false);
  }

  /** Everybody is bonded with everybody again. */
  heal(): void {
    for (const [a, b] of this.#parted.values()) {
      this.speak(a, b);
      const [one, other] = [this.nodes.get(meshId(a)), this.nodes.get(meshId(b))];
      if (!one || !other) continue;
      one.handleBondUp(meshId(b), other.incarnation);
      other.handleBondUp(meshId(a), one.incarnation);
    }
    this.#parted.clear();
  }

  get leader(): TextNode | undefined {
    return [...this.nodes.values()].find((node) => node.status.value.role === 'leader');
  }

  /** Runs until everybody is online. */
  async online(count = this.nodes.size): Promise<TextNode> {
    await this.clock.until(() => this.isOnline(count));
    return this.leader as TextNode;
  }

  isOnline(count: number): boolean {
    return (
      this.nodes.size === count &&
      [...this.nodes.values()].every((node) => node.status.value.online) &&
      this.leader?.status.value.members.length === count
    );
  }

  follower(): TextNode {
    return [...this.nodes.values()].find((node) => node !== this.leader) as TextNode;
  }

  async close(): Promise<void> {
    for (const node of this.nodes.values()) await node.close();
  }

  #deliver(from: PeerId, to: PeerId, bytes: Uint8Array): boolean {
    const target = this.nodes.get(to);
    if (!target || !this.nodes.has(from)) return false;
    if (this.#cut.has(`${from}${to}`)) return true;
    const arrive = () => {
      if (this.nodes.get(to) === target && this.nodes.has(from)) target.handleMessage(from, bytes.slice());
    };
    this.clock.schedule(this.delayMs, arrive);
    if (this.repeats > 0 && forwards(bytes) && this.#rng.float() < this.repeats)
      this.clock.schedule(this.delayMs + this.#rng.float() * 20, arrive);
    return true;
  }
}
