import { type BondAcceptor, BondManager, Bonds } from '@mosaik/bonds';
import type { TicketValidator } from '@mosaik/handshake';
import { memoryLogStorage, RaftNode, type RaftStatus, type Reverted } from '@mosaik/raft';
import type { Endpoint } from '@mosaik/transport';
import type { GroupId, NetworkId, PeerId } from '@mosaik/wire';
import { type Clock, type Logger, type Metrics, type Rng, WatchCell } from '@mosaik/wire/runtime';
import { createAdmission } from './admission.ts';
import type { GroupPlan } from './builder.ts';
import type { GroupDirectory } from './discovery-port.ts';
import { GroupError, toGroupError } from './errors.ts';

/** What every group of a node shares. */
export interface MemberComponents {
  readonly networkId: NetworkId;
  readonly endpoint: Endpoint;
  readonly directory: GroupDirectory;
  readonly acceptor: BondAcceptor;
  readonly handshakeTimeoutMs: number;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** Why a member ended: asked to, or what made it impossible to go on. */
export interface GroupCloseReason {
  readonly reason: 'closed' | 'failed';
  readonly cause?: unknown;
}

/**
 * This node's one membership of a group: a Raft node over bonds, found through discovery.
 *
 * Handles (`Group`) share it; the last one to close ends it.
 */
export class Member<C, Q, R, O> {
  readonly id: GroupId;
  readonly localId: PeerId;
  readonly plan: GroupPlan<C, Q, R, O>;
  readonly components: MemberComponents;
  readonly status: WatchCell<RaftStatus>;
  readonly bonds = new WatchCell<Bonds>(Bonds.empty);
  readonly closed: Promise<GroupCloseReason>;
  /** Rejects when the storage can not be opened. */
  readonly opened: Promise<RaftNode<C, Q, R, O>>;
  /** Set once opened: spares the hot path a turn. */
  node: RaftNode<C, Q, R, O> | undefined;
  handles = 0;
  /** Of `log:reverted`. */
  readonly listeners = new Set<(reverted: Reverted<C>) => void>();
  readonly #ended = new AbortController();
  #bondManager: BondManager | undefined;
  #closing: Promise<void> | undefined;
  #resolveClosed: (reason: GroupCloseReason) => void = () => {};

  /** `predecessor`: a membership of the same group that is still leaving; this one begins after it. */
  constructor(
    id: GroupId,
    plan: GroupPlan<C, Q, R, O>,
    components: MemberComponents,
    predecessor?: Promise<unknown>,
  ) {
    this.id = id;
    this.plan = plan;
    this.components = components;
    this.localId = components.endpoint.id;
    this.status = new WatchCell(initialStatus(plan));
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.opened = this.#open(predecessor);
    this.opened.catch((cause: unknown) => this.close({ reason: 'failed', cause }));
  }

  get closing(): boolean {
    return this.#closing !== undefined;
  }

  /** Hands over, says goodbye, and frees everything. Idempotent; never rejects. */
  close(reason: GroupCloseReason = { reason: 'closed' }): Promise<void> {
    this.#closing ??= this.#leave(reason);
    return this.#closing;
  }

  async #open(predecessor: Promise<unknown> | undefined): Promise<RaftNode<C, Q, R, O>> {
    await predecessor;
    const { plan, components } = this;
    const { clock, rng, logger, metrics } = components;
    const node = await RaftNode.open({
      localId: this.localId,
      groupId: this.id,
      networkId: components.networkId,
      config: plan.config,
      preference: plan.preference,
      machine: plan.machine,
      storage: plan.storage ?? memoryLogStorage(),
      compaction: plan.compaction,
      toError: toGroupError,
      handleReverted: (reverted) => this.#tell(reverted),
      components: {
        send: (peer, message, lane) => this.#bondManager?.send(peer, message, lane) ?? false,
        clock,
        rng,
        logger,
        metrics,
      },
    });
    if (this.#closing) {
      await node.close();
      throw new GroupError('terminated', 'the group was closed while it opened');
    }
    this.node = node;
    node.status.subscribe((status) => this.status.set(status));
    this.status.set(node.status.value);
    this.#bondManager = this.#createBonds(node);
    components.directory.addGroup(this.id);
    return node;
  }

  #tell(reverted: Reverted<C>): void {
    for (const listener of [...this.listeners]) {
      try {
        listener(reverted);
      } catch (error) {
        this.components.logger.error({ group: this.id, error }, 'a listener of log:reverted failed');
      }
    }
  }

  #createBonds(node: RaftNode<C, Q, R, O>): BondManager {
    const { plan, components } = this;
    const { config } = plan;
    const manager = new BondManager({
      ...components,
      groupId: this.id,
      groupKey: plan.key,
      incarnation: node.incarnation,
      heartbeatIntervalMs: config.heartbeatIntervalMs,
      heartbeatJitterMs: config.heartbeatJitterMs,
      maxMissedHeartbeats: config.maxMissedHeartbeats,
      persistent: persistentPeers(node.status.value),
      admission: createAdmission(plan.validators, components.clock, this.#ended.signal),
      onBondUp: (bond) => node.handleBondUp(bond.peer, bond.incarnation),
      onBondDown: (bond, reason) => node.handleBondDown(bond.peer, reason.departed),
      onRaft: (peer, message) => node.handleMessage(peer, message),
    });
    let { voters } = node.status.value;
    node.status.subscribe((status) => {
      if (status.voters === voters) return;
      voters = status.voters;
      manager.setPersistent(persistentPeers(status));
    });
    manager.bonds.subscribe((bonds) => this.bonds.set(bonds));
    this.bonds.set(manager.bonds.value);
    for (const validator of plan.validators) this.#followRevocations(validator, manager);
    return manager;
  }

  #followRevocations(validator: TicketValidator, manager: BondManager): void {
    const stop = validator.onRevoked?.(() => manager.recheckAdmissions());
    if (stop) void this.closed.then(stop);
  }

  async #leave(reason: GroupCloseReason): Promise<void> {
    const { logger, directory } = this.components;
    // Each step is tried whatever became of the one before: leaving must not depend on being healthy.
    const step = async (name: string, run: () => unknown) => {
      try {
        await run();
      } catch (error) {
        logger.warn({ group: this.id, step: name, error }, 'a step of leaving the group failed');
      }
    };
    await step('hand over', () => this.node?.depart());
    directory.removeGroup(this.id);
    await step('say goodbye', () => this.#bondManager?.close({ departing: true }));
    await step('close the log', () => this.node?.close());
    const terminated = new GroupError('terminated', 'the group is closed', { cause: reason.cause });
    this.#ended.abort(terminated);
    this.status.set({ ...this.status.value, state: 'closed', leader: undefined, online: false });
    this.status.close(terminated);
    this.bonds.close(terminated);
    this.#resolveClosed(reason);
  }
}

/** Voters are dialled for ever: those that the log lists, and before there is one those of the genesis. */
function persistentPeers({ voters }: RaftStatus): PeerId[] {
  if (!voters) return [];
  const { current, learners, genesis, witnesses } = voters;
  return current.length > 0 ? [...current, ...learners] : [...genesis, ...witnesses];
}

function initialStatus<C, Q, R, O>(plan: GroupPlan<C, Q, R, O>): RaftStatus {
  return {
    state: 'running',
    role: 'follower',
    term: 0,
    leader: undefined,
    online: false,
    committed: 0,
    applied: 0,
    logPosition: { term: 0, index: 0 },
    quorum: { mode: plan.config.quorum.type === 'Dynamic' ? 'dynamic' : 'voters', have: 0, need: 0 },
    members: [],
    suspended: false,
  };
}
