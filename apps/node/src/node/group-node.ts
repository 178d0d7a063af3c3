import type {
  Group,
  KeyValueCommand,
  KeyValueOutput,
  KeyValueQuery,
  KeyValueResult,
  RaftStatus,
} from '@mosaik/groups';
import type { Network } from '@mosaik/network';
import type { PeerId } from '@mosaik/wire';
import { type Clock, systemClock } from '@mosaik/wire/runtime';
import type { NodeHandle, ReadAnswer, ReadOptions, WriteAnswer, WriteOptions } from '../http/node-handle.ts';
import type {
  BondDescription,
  NodeStatus,
  PeerDescription,
  StateDescription,
  VotersBody,
} from '../http/node-status.ts';
import { VERSION } from '../version.ts';

export type KeyValueGroup = Group<KeyValueCommand, KeyValueQuery, KeyValueResult, KeyValueOutput>;

export interface GroupNodeInit {
  readonly network: Pick<Network, 'id' | 'networkId' | 'addresses' | 'discovery'>;
  readonly networkName: string;
  readonly group: KeyValueGroup;
  /** The clock of the network; default: the machine's. */
  readonly clock?: Clock | undefined;
}

/** Room for the key and the framing of a command beside the value. */
const COMMAND_OVERHEAD_BYTES = 2048;
/** How long a read or a write may take before the client is told. */
const CALL_TIMEOUT_MS = 10_000;

/** A new voter counts once it has caught up: in all, and less than clients of HTTP commonly wait for an answer. */
const CHANGE_TIMEOUT_MS = 240_000;

/** A member of a group with a replicated map, as the HTTP API wants to see it. */
export class GroupNode implements NodeHandle {
  readonly maxValueBytes: number;
  readonly #init: GroupNodeInit;
  readonly #clock: Clock;
  readonly #startedMs: number;
  #state: { readonly key: string; readonly description: StateDescription } | undefined;

  constructor(init: GroupNodeInit) {
    this.#init = init;
    this.#clock = init.clock ?? systemClock;
    this.#startedMs = this.#clock.nowMs();
    this.maxValueBytes = Math.max(0, init.group.config.maxCommandBytes - COMMAND_OVERHEAD_BYTES);
  }

  status(): NodeStatus {
    const { network, networkName, group } = this.#init;
    const raft = group.status.value;
    return {
      peerId: network.id,
      networkId: network.networkId,
      network: networkName,
      groupId: group.id,
      health: raft.state,
      ...(raft.problem === undefined ? {} : { problem: raft.problem }),
      role: raft.role,
      term: raft.term,
      leader: raft.leader ?? null,
      online: raft.online,
      committed: raft.committed,
      applied: raft.applied,
      logPosition: raft.logPosition,
      quorum: raft.quorum,
      members: raft.members,
      ...(raft.reverted ? { reverted: raft.reverted } : {}),
      ...(raft.voters ? { voters: describeVoters(raft) } : {}),
      bonds: this.#describeBonds(),
      topology: group.bonds.topology.map(({ peers }) => peers),
      addresses: network.addresses,
      version: VERSION,
      uptimeMs: Math.round(this.#clock.nowMs() - this.#startedMs),
    };
  }

  async state(): Promise<StateDescription> {
    const { group } = this.#init;
    const { applied, logPosition } = group.status.value;
    const key = `${logPosition.term}/${applied}`;
    if (this.#state?.key === key) return this.#state.description;
    const { result, index } = await group.query({ type: 'Digest' }, { consistency: 'weak' });
    if (result.type !== 'Digest') throw new TypeError(`a digest was answered with ${result.type}`);
    const description = { digest: result.digest, size: result.size, applied: index };
    // Only what is known to belong to this index is worth keeping.
    if (index === applied) this.#state = { key, description };
    return description;
  }

  peers(): readonly PeerDescription[] {
    const { network, group } = this.#init;
    const bonds = group.bonds;
    return [...network.discovery.entries()].map(({ entry }) => ({
      peerId: entry.peerId,
      addresses: entry.addresses,
      tags: entry.tags,
      groups: entry.groups,
      bonded: bonds.has(entry.peerId),
    }));
  }

  onChange(listener: () => void): () => void {
    const { group } = this.#init;
    const unsubscribe = group.status.subscribe(listener);
    const stop = new AbortController();
    void this.#followBonds(listener, stop.signal);
    return () => {
      unsubscribe();
      stop.abort();
    };
  }

  async read(key: string, options: ReadOptions): Promise<ReadAnswer> {
    const { result } = await this.#init.group.query(
      { type: 'Get', key },
      {
        consistency: options.consistency,
        timeoutMs: CALL_TIMEOUT_MS,
        ...(options.minIndex === undefined ? {} : { minIndex: options.minIndex }),
        ...(options.signal ? { signal: options.signal } : {}),
      },
    );
    if (result.type !== 'Entry') throw new TypeError(`a read was answered with ${result.type}`);
    return { entry: result.value };
  }

  put(key: string, value: Uint8Array, options: WriteOptions): Promise<WriteAnswer> {
    return this.#write({ type: 'Put', key, value, expected: options.expected }, options);
  }

  delete(key: string, options: WriteOptions): Promise<WriteAnswer> {
    return this.#write({ type: 'Delete', key, expected: options.expected }, options);
  }

  transferLeadership(to: PeerId | undefined, signal: AbortSignal): Promise<void> {
    return this.#init.group.transferLeadership(to, { signal, timeoutMs: CALL_TIMEOUT_MS });
  }

  voters(): VotersBody {
    const raft = this.#init.group.status.value;
    return { mode: raft.quorum.mode, ...describeVoters(raft) };
  }

  addVoter(peer: PeerId, signal: AbortSignal): Promise<void> {
    return this.#init.group.voters.add(peer, { signal, timeoutMs: CHANGE_TIMEOUT_MS });
  }

  removeVoter(peer: PeerId, signal: AbortSignal): Promise<void> {
    return this.#init.group.voters.remove(peer, { signal, timeoutMs: CHANGE_TIMEOUT_MS });
  }

  async #write(command: KeyValueCommand, { signal, idempotencyKey }: WriteOptions): Promise<WriteAnswer> {
    const { index, output } = await this.#init.group.execute(command, {
      signal,
      idempotencyKey,
      timeoutMs: CALL_TIMEOUT_MS,
    });
    return output.type === 'Done' ? { type: 'done', index } : { type: 'conflict', index: output.index };
  }

  #describeBonds(): BondDescription[] {
    const nowMs = this.#clock.nowMs();
    return [...this.#init.group.bonds].map((bond) => ({
      peerId: bond.peer,
      bondId: bond.id,
      rttMs: bond.rttMs === undefined ? null : Math.round(bond.rttMs * 1000) / 1000,
      ageMs: Math.round(nowMs - bond.formedAtMs),
    }));
  }

  async #followBonds(listener: () => void, signal: AbortSignal): Promise<void> {
    try {
      for (let bonds = this.#init.group.bonds; !signal.aborted; ) {
        bonds = await bonds.changed({ signal });
        listener();
      }
    } catch {
      // Stopped, or the group closed: the status watch has said so.
    }
  }
}

function describeVoters({ members, voters }: RaftStatus): Omit<VotersBody, 'mode'> {
  return {
    voters: members,
    genesis: voters?.genesis ?? [],
    witnesses: voters?.witnesses ?? [],
    learners: voters?.learners ?? [],
    changing: voters?.changing ?? false,
  };
}
