import type { GroupKey, TicketValidator } from '@mosaik/handshake';
import {
  type CompactionOptions,
  type ConsensusOptions,
  consensus,
  type LogStorage,
  type Preference,
  type StateMachine,
} from '@mosaik/raft';
import type { ConsensusConfig } from '@mosaik/wire';
import type { Group } from './group.ts';
import { type NoOp, noOp } from './machines/no-op.ts';

/** What may be said at any point before `join`. */
interface CommonSteps {
  /** Timings and quorum; all members must give the same. Takes options or what `consensus()` made of them. */
  withConsensus(config: ConsensusOptions | ConsensusConfig): this;
  /** Members must hold a ticket that this validator accepts. Repeatable: every validator must be satisfied, and the order is part of the group's id. */
  requireTicket(validator: TicketValidator): this;
  /** How much this node wants to lead; default `'normal'`. */
  withPreference(preference: Preference): this;
}

/** A group with a key and nothing else yet. */
export interface GroupBuilder extends CommonSteps {
  /** What the members replicate. The machine belongs to the group from now on: one instance, one group. */
  withStateMachine<C, Q, R, O>(machine: StateMachine<C, Q, R, O>): MachineGroupBuilder<C, Q, R, O>;
  /**
   * Becomes a member of a group without state: election and membership only.
   *
   * @throws TypeError or RangeError when the configuration is impossible; GroupError `terminated` when closed.
   */
  join(): Group<undefined, undefined, undefined, void>;
}

/** A group that knows its state machine. */
export interface MachineGroupBuilder<C, Q, R, O> extends CommonSteps {
  /** Where the log is kept; default in memory. Members need not agree. */
  withLogStorage(storage: LogStorage): this;
  /** When to take snapshots and give up the log behind them. Members need not agree; better they do. */
  withCompaction(options: CompactionOptions): this;
  /** As `GroupBuilder.join`. Joining a group again gives another handle on the same member. */
  join(): Group<C, Q, R, O>;
}

/** Everything that a builder collected. */
export interface GroupPlan<C, Q, R, O> {
  readonly key: GroupKey;
  readonly machine: StateMachine<C, Q, R, O>;
  readonly storage: LogStorage | undefined;
  readonly compaction: CompactionOptions | undefined;
  readonly config: ConsensusConfig;
  readonly validators: readonly TicketValidator[];
  readonly preference: Preference;
}

/** How a builder ends: `Groups` takes the plan and gives a handle. */
export type JoinPlan = <C, Q, R, O>(plan: GroupPlan<C, Q, R, O>) => Group<C, Q, R, O>;

export function createGroupBuilder(key: GroupKey, joinPlan: JoinPlan): GroupBuilder {
  return new Builder<undefined, undefined, undefined, void>(
    {
      key,
      machine: noOp() satisfies NoOp,
      storage: undefined,
      compaction: undefined,
      config: consensus({}),
      validators: [],
      preference: 'normal',
    },
    joinPlan,
  );
}

class Builder<C, Q, R, O> implements MachineGroupBuilder<C, Q, R, O> {
  #plan: GroupPlan<C, Q, R, O>;
  readonly #join: JoinPlan;

  constructor(plan: GroupPlan<C, Q, R, O>, join: JoinPlan) {
    this.#plan = plan;
    this.#join = join;
  }

  withStateMachine<C2, Q2, R2, O2>(machine: StateMachine<C2, Q2, R2, O2>): Builder<C2, Q2, R2, O2> {
    return new Builder({ ...this.#plan, machine }, this.#join);
  }

  withLogStorage(storage: LogStorage): this {
    this.#plan = { ...this.#plan, storage };
    return this;
  }

  withCompaction(options: CompactionOptions): this {
    this.#plan = { ...this.#plan, compaction: options };
    return this;
  }

  withConsensus(config: ConsensusOptions | ConsensusConfig): this {
    this.#plan = { ...this.#plan, config: isConfig(config) ? config : consensus(config) };
    return this;
  }

  requireTicket(validator: TicketValidator): this {
    this.#plan = { ...this.#plan, validators: [...this.#plan.validators, validator] };
    return this;
  }

  withPreference(preference: Preference): this {
    this.#plan = { ...this.#plan, preference };
    return this;
  }

  join(): Group<C, Q, R, O> {
    return this.#join(this.#plan);
  }
}

function isConfig(config: ConsensusOptions | ConsensusConfig): config is ConsensusConfig {
  return typeof config.quorum === 'object' && 'type' in config.quorum;
}
