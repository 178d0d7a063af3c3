import { BondAcceptor } from '@mosaik/bonds';
import { deriveGroupId, type GroupKey } from '@mosaik/handshake';
import { assertJoinable, LOG_REPLAY_SIGNATURE } from '@mosaik/raft';
import type { Endpoint } from '@mosaik/transport';
import { consensusDigest, type GroupId, type NetworkId } from '@mosaik/wire';
import {
  type Clock,
  type Logger,
  type Metrics,
  type Rng,
  silentLogger,
  silentMetrics,
  systemClock,
  systemRng,
} from '@mosaik/wire/runtime';
import { createGroupBuilder, type GroupBuilder, type GroupPlan } from './builder.ts';
import type { GroupDirectory } from './discovery-port.ts';
import { GroupError } from './errors.ts';
import { Group } from './group.ts';
import { Member, type MemberComponents } from './member.ts';

export interface GroupsInit {
  readonly networkId: NetworkId;
  /** Must accept `Alpn.groups`; stays the caller's to close, after `close()`. */
  readonly endpoint: Endpoint;
  readonly directory: GroupDirectory;
  /** How long either side of a bond's handshake waits for the other; default 2000. */
  readonly handshakeTimeoutMs?: number | undefined;
  readonly clock?: Clock | undefined;
  readonly rng?: Rng | undefined;
  readonly logger?: Logger | undefined;
  readonly metrics?: Metrics | undefined;
}

/** The groups of one node: where they are joined, and what they share. */
export class Groups {
  readonly #components: MemberComponents;
  // Each member is created and handed out by `#join` under the types of its plan; the map only counts them.
  readonly #members = new Map<GroupId, Member<never, never, unknown, unknown>>();
  #closing: Promise<void> | undefined;

  constructor(init: GroupsInit) {
    const { networkId, endpoint, directory } = init;
    const shared = {
      networkId,
      endpoint,
      directory,
      handshakeTimeoutMs: init.handshakeTimeoutMs ?? 2000,
      clock: init.clock ?? systemClock,
      logger: init.logger ?? silentLogger,
      metrics: init.metrics ?? silentMetrics,
    };
    this.#components = { ...shared, rng: init.rng ?? systemRng, acceptor: new BondAcceptor(shared) };
  }

  /** Starts to describe the group whose members share `key`. */
  withKey(key: GroupKey): GroupBuilder {
    return createGroupBuilder(key, (plan) => this.#join(plan));
  }

  /** Leaves every group and stops accepting bonds. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#members.values()].map((member) => member.close()));
    await this.#components.acceptor.close();
  }

  #join<C, Q, R, O>(plan: GroupPlan<C, Q, R, O>): Group<C, Q, R, O> {
    if (this.#closing) throw new GroupError('terminated', 'the node is closed');
    assertJoinable(plan, this.#components.endpoint.id);
    const id = groupIdOf(plan);
    const present = this.#members.get(id) as unknown as Member<C, Q, R, O> | undefined;
    const member = present && !present.closing ? present : this.#createMember(id, plan, present?.closed);
    member.handles += 1;
    return new Group(member, async () => {
      member.handles -= 1;
      if (member.handles === 0) await member.close();
    });
  }

  #createMember<C, Q, R, O>(
    id: GroupId,
    plan: GroupPlan<C, Q, R, O>,
    predecessor?: Promise<unknown>,
  ): Member<C, Q, R, O> {
    const member = new Member(id, plan, this.#components, predecessor);
    const counted = member as unknown as Member<never, never, unknown, unknown>;
    this.#members.set(id, counted);
    this.#countMembers();
    void member.closed.then(() => {
      if (this.#members.get(id) === counted) this.#members.delete(id);
      this.#countMembers();
    });
    return member;
  }

  #countMembers(): void {
    this.#components.metrics.gauge('mosaik.groups.active', this.#members.size);
  }
}

/** Any difference in key, configuration, machine, state sync or validators gives another group. */
function groupIdOf<C, Q, R, O>(plan: GroupPlan<C, Q, R, O>): GroupId {
  return deriveGroupId({
    key: plan.key,
    consensusDigest: consensusDigest(plan.config),
    machineSignature: plan.machine.signature,
    stateSyncSignature: plan.machine.stateSync?.().signature ?? LOG_REPLAY_SIGNATURE,
    validatorSignatures: plan.validators.map((validator) => validator.signature),
  });
}
