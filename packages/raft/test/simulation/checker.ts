import type { LogWrite } from '@mosaik/raft';
import type { RaftMember, RaftMessage } from '@mosaik/wire';
import type { Effect } from '../../src/core/effect.ts';
import type { Input } from '../../src/core/input.ts';
import type { Cluster } from './cluster.ts';
import { commandText } from './commands.ts';
import { acknowledgements } from './invariants/acknowledgements.ts';
import { bounds } from './invariants/bounds.ts';
import { assertKept, clients } from './invariants/clients.ts';
import { commits } from './invariants/commits.ts';
import { elections } from './invariants/elections.ts';
import { entries } from './invariants/entries.ts';
import { forks } from './invariants/forks.ts';
import type { CreateInvariant, Invariant } from './invariants/invariant.ts';
import { leaders } from './invariants/leaders.ts';
import { linearizability } from './invariants/linearizability.ts';
import { reverts } from './invariants/reverts.ts';
import { sessions } from './invariants/sessions.ts';
import { sets } from './invariants/sets.ts';
import { states } from './invariants/states.ts';
import { views } from './invariants/views.ts';
import type { Call, Read, SimNode } from './sim-node.ts';
import type { SimStore } from './store.ts';

const INVARIANTS: readonly CreateInvariant[] = [
  entries,
  elections,
  leaders,
  commits,
  sets,
  views,
  acknowledgements,
  clients,
  reverts,
  linearizability,
  forks,
  states,
  sessions,
  bounds,
];

type Hooks = { readonly [Name in keyof Invariant]-?: NonNullable<Invariant[Name]>[] };

/** Who wants to see what. */
function hooksOf(invariants: readonly Invariant[]): Hooks {
  const hooks: Record<keyof Invariant, unknown[]> = {
    handleStart: [],
    handleForgotten: [],
    handleInput: [],
    handleStep: [],
    handleTurn: [],
    handleWrite: [],
    handleEntry: [],
    handleSend: [],
    handleApplied: [],
    handleReverted: [],
    handleSent: [],
    handleAcked: [],
    handleRefused: [],
    handleAsked: [],
    handleRead: [],
    handleQuiet: [],
  };
  for (const invariant of invariants)
    for (const [name, hook] of Object.entries(invariant))
      hooks[name as keyof Invariant].push((hook as () => void).bind(invariant));
  return hooks as Hooks;
}

export class InvariantViolation extends Error {
  override readonly name = 'InvariantViolation';
}

/** What was committed at an index: the nonce of its epoch, and the term in which somebody first knew. */
export interface Committed {
  readonly nonce: bigint;
  readonly term: number;
}

/** Shows every step to every invariant, and keeps the few facts that several of them need. */
export class Checker {
  readonly #cluster: Cluster;
  readonly #hooks: Hooks;
  /** Of incarnations that are over: what they acknowledged they did hold. */
  readonly #forgotten = new Map<string, SimStore>();
  /** By side and index. */
  readonly #committed = new Map<string, Map<number, Committed>>();
  /** (nonce, index) → the command that was written there. */
  readonly #texts = new Map<string, string>();
  readonly forcedEpochs = new Set<bigint>();
  /** Highest index acknowledged to a caller: later linearizable reads must see it (voters mode). */
  ackedFloor = 0;
  readonly acked: Call[] = [];
  /** Commands that some member gave up and said so: nonce@index. */
  readonly lost = new Set<string>();
  /** Who answered what lately. */
  readonly served = new Map<SimNode, 'write' | 'read' | 'both'>();
  steps = 0;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.#hooks = hooksOf(INVARIANTS.map((create) => create(this, cluster)));
  }

  fail(node: SimNode, what: string): InvariantViolation {
    const at = Math.round(this.#cluster.nowMs);
    return new InvariantViolation(
      `n${node.index} at ${at} ms, step ${this.steps}: ${what}\n${this.#cluster.describe()}`,
    );
  }

  /** What any member ever took as committed, by index. */
  committedOn(side: string): Map<number, Committed> {
    let committed = this.#committed.get(side);
    if (!committed) {
      committed = new Map();
      this.#committed.set(side, committed);
    }
    return committed;
  }

  /** The store of that very incarnation, even if it is gone. */
  storeOf({ peer, incarnation }: RaftMember): SimStore | undefined {
    const found = this.#cluster.nodes.find(
      (node) => node.id === peer && node.store.hardState?.incarnation === incarnation,
    );
    return found?.store ?? this.#forgotten.get(`${peer}:${incarnation}`);
  }

  /** The command that any log ever held there. */
  textAt(nonce: bigint, index: number): string | undefined {
    return this.#texts.get(`${nonce}@${index}`);
  }

  handleStart(node: SimNode): void {
    for (const hook of this.#hooks.handleStart) hook(node);
  }

  handleForgotten(node: SimNode): void {
    for (const hook of this.#hooks.handleForgotten) hook(node);
    const incarnation = node.store.hardState?.incarnation;
    if (incarnation !== undefined) this.#forgotten.set(`${node.id}:${incarnation}`, node.store);
  }

  /** `last`: before what it appends. A turn may have several writes, so the log itself is further by now. */
  handleWrite(node: SimNode, write: LogWrite, last: number): void {
    for (const hook of this.#hooks.handleWrite) hook(node, write);
    this.#maybeRemember(node, write);
    let index = last;
    for (const run of write.append ?? []) {
      const nonce = String(run.epoch.nonce);
      for (const entry of run.entries) {
        index += 1;
        if (entry.type === 'Command') this.#texts.set(`${nonce}@${index}`, commandText(entry.value));
        if (entry.type === 'Opening' && entry.forced) this.forcedEpochs.add(run.epoch.nonce);
        for (const hook of this.#hooks.handleEntry) hook(node, index, entry);
      }
    }
  }

  /** Whoever moves to another side becomes another incarnation: what the one before it acknowledged it did hold. */
  #maybeRemember({ id, store }: SimNode, { hardState }: LogWrite): void {
    const before = store.hardState?.incarnation;
    if (hardState && before !== undefined && hardState.incarnation !== before)
      this.#forgotten.set(`${id}:${before}`, store.copy());
  }

  handleInput(node: SimNode, input: Input): void {
    for (const hook of this.#hooks.handleInput) hook(node, input);
  }

  handleStep(node: SimNode): void {
    this.steps += 1;
    const s = node.core.state;
    if (s.stopped === 'failed') throw this.fail(node, `failed: ${s.problem}`);
    for (const hook of this.#hooks.handleStep) hook(node);
  }

  handleTurn(node: SimNode): void {
    for (const hook of this.#hooks.handleTurn) hook(node);
  }

  handleSend(from: SimNode, to: SimNode, message: RaftMessage): void {
    for (const hook of this.#hooks.handleSend) hook(from, to, message);
  }

  handleApplied(node: SimNode, index: number): void {
    for (const hook of this.#hooks.handleApplied) hook(node, index);
  }

  handleReverted(node: SimNode, effect: Extract<Effect, { type: 'revert' }>): void {
    for (const hook of this.#hooks.handleReverted) hook(node, effect);
  }

  handleAcked(node: SimNode, call: Call): void {
    for (const hook of this.#hooks.handleAcked) hook(node, call);
    this.#serve(node, 'write');
    this.acked.push({ ...call });
    this.ackedFloor = Math.max(this.ackedFloor, call.from);
  }

  handleRead(node: SimNode, read: Read): void {
    this.#serve(node, 'read');
    for (const hook of this.#hooks.handleRead) hook(node, read);
  }

  handleSent(call: Call): void {
    for (const hook of this.#hooks.handleSent) hook(call);
  }

  handleRefused(node: SimNode, call: Call): void {
    for (const hook of this.#hooks.handleRefused) hook(node, call);
  }

  handleAsked(read: Read): void {
    for (const hook of this.#hooks.handleAsked) hook(read);
  }

  /** Every acknowledged write is in this log, at its place. */
  checkAcked(node: SimNode): void {
    assertKept(this, node);
  }

  #serve(node: SimNode, what: 'write' | 'read'): void {
    const before = this.served.get(node);
    this.served.set(node, before === undefined || before === what ? what : 'both');
  }

  handleQuiet(): void {
    for (const hook of this.#hooks.handleQuiet) hook();
  }
}
