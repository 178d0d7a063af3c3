import {
  bytes,
  type ConsensusConfig,
  type GroupId,
  type NetworkId,
  type PeerId,
  RaftMessage,
  UniqueId,
} from '@mosaik/wire';
import {
  type Clock,
  type Rng,
  silentLogger,
  silentMetrics,
  systemClock,
  type Timer,
} from '@mosaik/wire/runtime';
import { consensus } from './consensus.ts';
import type { RaftNode } from './node.ts';
import type { RaftNodeInit } from './node-init.ts';
import type { StateMachine } from './state-machine.ts';

const IDS = [1, 2, 3].map((n) => `0${n}`.repeat(32) as PeerId);
/** Every member leads, follows and leaves often enough for what it runs then to be compiled. */
const HANDOVERS = 12;
/** Far more than it takes: nothing here may keep a process from starting. */
const MAX_STEPS = 200;
const COMMAND = new Uint8Array(32);

type QuorumMode = ConsensusConfig['quorum']['type'];
type Node = RaftNode<Uint8Array, undefined, undefined>;
type OpenNode = (init: RaftNodeInit<Uint8Array, undefined, undefined, void>) => Promise<Node>;

/** Kept: V8 forgets what it learned about a shape once nothing has it any more. */
let rehearsal: Rehearsal | undefined;

/**
 * Lets three members in memory hand leadership to each other, once in a process, a fraction of a millisecond at a time:
 * what a member runs first when it has to take over would otherwise be compiled just then, which a handover of a few
 * milliseconds takes half as long again for. `mode` is that of the process's first group. Only by the clock of this
 * machine: virtual time has no such cost.
 */
export function rehearse(clock: Clock, mode: QuorumMode, openNode: OpenNode): void {
  if (rehearsal || clock !== systemClock) return;
  const pause = () => new Promise<void>((resolve) => void clock.schedule(1, resolve));
  // Without it the first handover is slower, no more.
  rehearsal = new Rehearsal(mode, openNode, pause);
  void play(rehearsal, pause).catch(() => {});
}

async function play(group: Rehearsal, pause: () => Promise<void>): Promise<void> {
  await pause();
  try {
    await group.open();
    for (let left = HANDOVERS; left > 0; left -= 1) await group.handOver();
  } finally {
    await group.close();
  }
}

/** Three members, a network that loses nothing, and time that moves when nobody has anything to say. */
export class Rehearsal {
  readonly nodes = new Map<PeerId, Node>();
  /** One message of each kind, as its receiver reads it: held, so that its shape stays known. */
  readonly seen = new Map<string, RaftMessage>();
  readonly #clock = new StageClock();
  readonly #mode: QuorumMode;
  readonly #openNode: OpenNode;
  readonly #pause: () => Promise<void>;
  #mail: { readonly from: PeerId; readonly to: PeerId; readonly message: Uint8Array }[] = [];

  /** `pause` is awaited between any two steps. */
  constructor(mode: QuorumMode, openNode: OpenNode, pause: () => Promise<void>) {
    this.#mode = mode;
    this.#openNode = openNode;
    this.#pause = pause;
  }

  get leader(): Node | undefined {
    return [...this.nodes.values()].find((node) => node.status.value.role === 'leader');
  }

  async open(): Promise<void> {
    for (const id of IDS) await this.#open(id);
    await this.#until(() => this.#full);
  }

  /**
   * Everybody writes, before and while the leader hands over. Where the set follows the bonds it leaves, too, every other
   * time, and comes back.
   */
  async handOver(): Promise<void> {
    const { leader } = this;
    if (!leader) throw new Error('nobody leads');
    const leaves = this.#mode === 'Dynamic' && leader.status.value.term % 2 === 0;
    await this.#settled(this.#write());
    const moved = leaves ? leader.depart() : leader.transferLeadership();
    await this.#settled([moved, ...this.#write()]);
    if (leaves) await this.#replace(leader);
    await this.#until(() => this.leader !== leader && this.#full);
  }

  async close(): Promise<void> {
    for (const node of this.nodes.values()) await node.close();
  }

  get #full(): boolean {
    return this.leader?.status.value.members.length === IDS.length;
  }

  #write(): Promise<unknown>[] {
    // A member that leaves takes none any more.
    return [...this.nodes.values()].map((node) => node.execute(COMMAND).catch(() => {}));
  }

  async #open(id: PeerId): Promise<void> {
    const node = await this.#openNode({
      localId: id,
      groupId: '0a'.repeat(32) as GroupId,
      networkId: '0b'.repeat(32) as NetworkId,
      config: consensus({
        bootstrapDelayMs: 0,
        quorum: this.#mode === 'Dynamic' ? 'dynamic' : { voters: IDS },
      }),
      preference: 'normal',
      machine: MACHINE,
      components: {
        clock: this.#clock,
        rng: rngOf(IDS.indexOf(id), this.#clock),
        logger: silentLogger,
        metrics: silentMetrics,
        send: (to, message) => {
          if (!this.nodes.has(to)) return false;
          this.#mail.push({ from: id, to, message });
          return true;
        },
      },
    });
    for (const [peer, other] of this.nodes) {
      other.handleBondUp(id, node.incarnation);
      node.handleBondUp(peer, other.incarnation);
    }
    this.nodes.set(id, node);
  }

  async #replace(node: Node): Promise<void> {
    const id = [...this.nodes].find(([, other]) => other === node)?.[0] as PeerId;
    this.nodes.delete(id);
    this.#mail = this.#mail.filter(({ from, to }) => from !== id && to !== id);
    for (const other of this.nodes.values()) other.handleBondDown(id, true);
    await node.close();
    await this.#until(() => this.leader?.status.value.members.length === IDS.length - 1);
    await this.#open(id);
  }

  async #settled(promises: readonly Promise<unknown>[]): Promise<void> {
    let open = true;
    const all = Promise.all(promises).finally(() => {
      open = false;
    });
    // Awaited below, or never: it must not count as unhandled.
    all.catch(() => {});
    await this.#until(() => !open);
    await all;
  }

  /** Delivers what was sent; when nothing was, time goes on to whatever is due next. */
  async #until(condition: () => boolean): Promise<void> {
    for (let step = 0; !condition(); step += 1) {
      if (step > MAX_STEPS) throw new Error('the rehearsal does not go on');
      const mail = this.#mail;
      this.#mail = [];
      for (const { from, to, message } of mail) {
        const read = RaftMessage.decode(message);
        if (!this.seen.has(read.body.type)) this.seen.set(read.body.type, read);
        this.nodes.get(to)?.handleMessage(from, message);
      }
      if (mail.length === 0) this.#clock.fireNext();
      await this.#pause();
    }
  }
}

const MACHINE: StateMachine<Uint8Array, undefined, undefined> = {
  signature: UniqueId.from('mosaik/rehearsal'),
  command: bytes(),
  apply: () => {},
  query: () => undefined,
  reset: () => {},
};

/** Members draw different timeouts, and no number twice. */
function rngOf(index: number, { draw }: StageClock): Rng {
  return {
    float: () => (index + 1) / (IDS.length + 1),
    u64: draw,
    bytes: (length) => new Uint8Array(length),
  };
}

/** Time that moves from one timer to the next. */
class StageClock implements Clock {
  #nowMs = 0;
  #drawn = 0n;
  #timers: { readonly atMs: number; readonly callback: () => void }[] = [];

  readonly draw = (): bigint => {
    this.#drawn += 1n;
    // Over all 64 bits, as outside: numbers that fit into a signed word are other code.
    return BigInt.asUintN(64, this.#drawn * 0x9e3779b97f4a7c15n);
  };

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  schedule(delayMs: number, callback: () => void): Timer {
    const timer = { atMs: this.#nowMs + Math.max(0, delayMs), callback };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
  }

  fireNext(): void {
    let next = this.#timers[0];
    for (const timer of this.#timers) if (next && timer.atMs < next.atMs) next = timer;
    if (!next) return;
    this.#timers.splice(this.#timers.indexOf(next), 1);
    this.#nowMs = Math.max(this.#nowMs, next.atMs);
    next.callback();
  }
}
