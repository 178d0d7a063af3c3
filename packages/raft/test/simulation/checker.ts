import type { LogWrite } from '@mosaik/raft';
import type { RaftMember, RaftMessage } from '@mosaik/wire';
import { describeEpoch, isMember, sameEpoch } from '../../src/core/epoch.ts';
import { majority } from '../../src/core/quorum.ts';
import type { Call, Cluster, SimNode } from './cluster.ts';
import type { SimStore } from './store.ts';

export class InvariantViolation extends Error {
  override readonly name = 'InvariantViolation';
}

/** The invariants of the consensus rules, looked at after every step. */
export class Checker {
  readonly #cluster: Cluster;
  /** (epoch, index) → what every log must have there, and before it. */
  readonly #entries = new Map<string, { entry: unknown; prev: string }>();
  /** (side, term) → the leader's nonce. */
  readonly #leaders = new Map<string, bigint>();
  /** (side, incarnation, term) → the nonce voted for. */
  readonly #votes = new Map<string, bigint>();
  /** (side, index) → what was committed there. */
  readonly #committed = new Map<string, bigint>();
  readonly #terms = new Map<string, number>();
  readonly #commits = new Map<SimNode, { life: number; commit: number; side: string; incarnation: bigint }>();
  readonly #leading = new Map<SimNode, { nonce: bigint; last: number }>();
  readonly #acked: Call[] = [];
  readonly #forgotten = new Map<string, SimStore>();
  readonly forcedEpochs = new Set<bigint>();
  rewinds = 0;
  /** Highest index acknowledged to a caller: later linearizable reads must see it (voters mode). */
  ackedFloor = 0;
  steps = 0;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  fail(node: SimNode, what: string): InvariantViolation {
    const at = Math.round(this.#cluster.nowMs);
    return new InvariantViolation(
      `n${node.index} at ${at} ms, step ${this.steps}: ${what}\n${this.#cluster.describe()}`,
    );
  }

  handleStart(node: SimNode): void {
    this.#leading.delete(node);
    this.#commits.delete(node);
  }

  /** Its store is lost: what it acknowledged it did hold. */
  handleForgotten(node: SimNode): void {
    this.#leading.delete(node);
    const incarnation = node.store.hardState?.incarnation;
    if (incarnation !== undefined) this.#forgotten.set(`${node.id}:${incarnation}`, node.store);
  }

  handleWrite(node: SimNode, write: LogWrite): void {
    const { log } = node.core;
    const leading = this.#leading.get(node);
    const s = node.core.state;
    if (leading && s.role === 'leader' && s.epoch?.nonce === leading.nonce && write.truncateTo !== undefined)
      throw this.fail(node, `a leader rewrites its log from ${write.truncateTo}`);
    let count = 0;
    for (const run of write.append ?? []) count += run.entries.length;
    let index = log.last - count + 1;
    for (const run of write.append ?? []) {
      for (const entry of run.entries) {
        this.#checkEntry(node, index, describe(run.epoch.nonce, index), entry);
        index += 1;
      }
    }
  }

  /** After the effects of a turn: nothing of them is outstanding. */
  handleTurn(node: SimNode): void {
    const { commit } = node.core.state;
    if (node.applied !== commit) throw this.fail(node, `applied ${node.applied}, committed ${commit}`);
  }

  handleStep(node: SimNode): void {
    this.steps += 1;
    const s = node.core.state;
    const { log } = s;
    if (s.commit > log.last || s.durable > log.last || s.matched > log.last)
      throw this.fail(
        node,
        `committed ${s.commit}, durable ${s.durable}, matched ${s.matched} ≤ last ${log.last} is broken`,
      );
    if (s.stopped === 'failed') throw this.fail(node, `failed: ${s.problem}`);
    const side = sideOf(node);
    this.#checkTerm(node, side);
    this.#checkVote(node, side);
    this.#checkLeader(node);
    this.#checkCommit(node, side);
  }

  handleSend(from: SimNode, to: SimNode, { body, incarnation }: RaftMessage): void {
    if (body.type === 'VoteResponse' && !body.pre && body.verdict.type === 'Granted') {
      if (!sameEpoch(from.store.hardState?.vote, body.epoch))
        throw this.fail(from, `grants ${describeEpoch(body.epoch)} before its vote is durable`);
    }
    if (body.type !== 'Appended' || body.reject || body.match === 0) return;
    if (body.match > from.store.log.last)
      throw this.fail(from, `acknowledges ${body.match}, durable is ${from.store.log.last}`);
    const leader = to.core?.state;
    if (!to.alive || leader?.role !== 'leader' || !sameEpoch(leader.epoch, body.epoch)) return;
    const mine = from.store.log.epochAt(body.match);
    if (!sameEpoch(mine, leader.log.epochAt(body.match)))
      throw this.fail(
        from,
        `acknowledges ${body.match} of ${describeEpoch(mine)}, which its leader does not have`,
      );
    if (incarnation !== from.core.state.incarnation) throw this.fail(from, 'speaks as another incarnation');
  }

  handleApplied(node: SimNode, index: number): void {
    if (index > node.core.state.commit) throw this.fail(node, `applies ${index} before it is committed`);
  }

  handleAcked(node: SimNode, call: Call): void {
    const entry = node.core.log.entryAt(call.from);
    if (entry?.type !== 'Command' || new TextDecoder().decode(entry.value) !== call.value)
      throw this.fail(node, `acknowledges ${call.value}, but index ${call.from} holds something else`);
    this.#acked.push({ ...call });
    this.ackedFloor = Math.max(this.ackedFloor, call.from);
  }

  /** A linearizable read sees what was acknowledged before it was asked. */
  handleRead(node: SimNode, floor: number): void {
    if (this.#cluster.init.mode === 'dynamic' && this.forcedEpochs.size > 1) return;
    if (node.applied < floor)
      throw this.fail(node, `answers a strong read at ${node.applied}; ${floor} was acknowledged before`);
  }

  /** Every acknowledged write is in this log, at its place. */
  checkAcked(node: SimNode): void {
    for (const call of this.#acked) {
      const entry = node.core.log.entryAt(call.from);
      const epoch = node.core.log.epochAt(call.from);
      const found = entry?.type === 'Command' ? new TextDecoder().decode(entry.value) : undefined;
      if (epoch?.nonce !== call.nonce || found !== call.value)
        throw this.fail(node, `lost the acknowledged write ${call.value} at ${call.from} (found ${found})`);
    }
  }

  #checkEntry(node: SimNode, index: number, key: string, entry: unknown): void {
    const { log } = node.core;
    const prev = log.epochAt(index - 1);
    const prevKey = prev ? describe(prev.nonce, index - 1) : '';
    const known = this.#entries.get(key);
    const text = JSON.stringify(entry, (_, value) =>
      typeof value === 'bigint' ? String(value) : value instanceof Uint8Array ? [...value].join() : value,
    );
    if (!known) {
      this.#entries.set(key, { entry: text, prev: prevKey });
      const opening = entry as { type: string; forced?: boolean };
      if (opening.type === 'Opening' && opening.forced) {
        const nonce = log.epochAt(index)?.nonce;
        if (nonce !== undefined) this.forcedEpochs.add(nonce);
      }
      return;
    }
    if (known.entry !== text || known.prev !== prevKey)
      throw this.fail(node, `entry ${key} differs from another member's, or follows another one`);
  }

  #checkTerm(node: SimNode, side: string): void {
    const s = node.core.state;
    // A term that was not durable may be forgotten: no vote was given in it.
    const key = `${side}:${s.incarnation}:${node.life}`;
    const before = this.#terms.get(key) ?? 0;
    if (s.term < before && this.#sideOfVote(node) === side)
      throw this.fail(node, `term went back from ${before} to ${s.term} within side ${side}`);
    this.#terms.set(key, s.term);
  }

  #sideOfVote(node: SimNode): string {
    // A member that follows a leader of another side already counts terms of that one.
    const s = node.core.state;
    if (this.#cluster.init.mode === 'voters') return sideOf(node);
    return s.leader === undefined || s.role === 'leader' ? sideOf(node) : 'unknown';
  }

  /** Only a durable vote was given. */
  #checkVote(node: SimNode, side: string): void {
    const { hardState } = node.store;
    const vote = hardState?.vote;
    if (!hardState || !vote || node.core.state.role === 'leader') return;
    const key = `${side}:${hardState.incarnation}:${vote.term}`;
    const known = this.#votes.get(key);
    if (known !== undefined && known !== vote.nonce)
      throw this.fail(node, `votes twice in term ${vote.term} of side ${side}`);
    this.#votes.set(key, vote.nonce);
  }

  #checkLeader(node: SimNode): void {
    const s = node.core.state;
    if (s.role !== 'leader' || !s.epoch || !s.leadership) {
      this.#leading.delete(node);
      return;
    }
    const known = this.#leading.get(node);
    if (known?.nonce === s.epoch.nonce) {
      if (s.log.last < known.last) throw this.fail(node, 'a leader shortens its log');
      known.last = s.log.last;
      return;
    }
    this.#leading.set(node, { nonce: s.epoch.nonce, last: s.log.last });
    const key = `${s.log.side?.nonce ?? ''}:${s.term}`;
    const other = this.#leaders.get(key);
    if (other !== undefined && other !== s.epoch.nonce)
      throw this.fail(node, `second leader in term ${s.term} of side ${key}`);
    this.#leaders.set(key, s.epoch.nonce);
    this.#checkCompleteness(node);
  }

  /** Whatever is committed on a side, every later leader of that side has (Raft §5.4.3). */
  #checkCompleteness(node: SimNode): void {
    const s = node.core.state;
    const side = sideOf(node);
    const opening = s.leadership?.openingIndex ?? 0;
    for (let index = 1; index < Math.max(opening, this.#highest.get(side) ?? 0) + 1; index += 1) {
      const nonce = this.#committed.get(`${side}:${index}`);
      if (nonce !== undefined && s.log.epochAt(index)?.nonce !== nonce)
        throw this.fail(node, `leads without the committed entry ${index} of its side`);
    }
  }

  readonly #highest = new Map<string, number>();

  #checkCommit(node: SimNode, side: string): void {
    const s = node.core.state;
    const before = this.#commits.get(node);
    const same = before && before.life === node.life && before.incarnation === s.incarnation;
    if (same && s.commit < before.commit) {
      this.rewinds += 1;
      if (before.side === side)
        throw this.fail(node, `commit went back from ${before.commit} to ${s.commit}`);
    }
    const from = same && before.side === side ? before.commit : 0;
    for (let index = from + 1; index <= s.commit; index += 1) {
      const nonce = s.log.epochAt(index)?.nonce ?? 0n;
      const key = `${side}:${index}`;
      const known = this.#committed.get(key);
      if (known === undefined) {
        this.#committed.set(key, nonce);
        this.#highest.set(side, Math.max(index, this.#highest.get(side) ?? 0));
      } else if (known !== nonce) {
        throw this.fail(node, `commits another entry at ${index} of side ${side}`);
      }
    }
    if (s.role === 'leader' && s.leadership && s.commit > from && s.commit >= s.leadership.openingIndex)
      this.#checkHeld(node, s.commit);
    this.#commits.set(node, { life: node.life, commit: s.commit, side, incarnation: s.incarnation });
  }

  /** Committed: durable in the stores of a majority of the set in force, and of the leader's own epoch. */
  #checkHeld(node: SimNode, index: number): void {
    const s = node.core.state;
    const epoch = s.log.epochAt(index);
    if (!sameEpoch(epoch, s.epoch)) throw this.fail(node, `commits ${index} by count across epochs`);
    const { members } = s.log;
    const held = members.filter((member) => sameEpoch(this.#storeOf(member)?.log.epochAt(index), epoch));
    if (held.length < majority(members.length))
      throw this.fail(node, `commits ${index}, held by ${held.length} of ${members.length}`);
    if (!isMember(members, node.id, s.incarnation)) throw this.fail(node, 'leads without being in its set');
  }

  #storeOf(member: RaftMember): SimStore | undefined {
    const found = this.#cluster.nodes.find(
      (node) => node.id === member.peer && node.store.hardState?.incarnation === member.incarnation,
    );
    return found?.store ?? this.#forgotten.get(`${member.peer}:${member.incarnation}`);
  }
}

function describe(nonce: bigint, index: number): string {
  return `${nonce.toString(16)}@${index}`;
}

function sideOf(node: SimNode): string {
  return node.core.state.side?.nonce.toString(16) ?? '';
}
