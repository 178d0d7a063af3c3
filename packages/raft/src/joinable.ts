import type { ConsensusConfig, PeerId } from '@mosaik/wire';
import type { Preference } from './preference.ts';
import type { StateMachine } from './state-machine.ts';

/** What a join is checked for before anything is started. */
export interface JoinPlan {
  readonly config: ConsensusConfig;
  readonly preference: Preference;
  // biome-ignore lint/suspicious/noExplicitAny: a machine is invariant in its types, so "any machine" has no other spelling
  readonly machine: StateMachine<any, any, any, any>;
}

/**
 * Refuses combinations of preference, machine and consensus configuration that cannot work.
 *
 * @throws RangeError or TypeError that names the option.
 */
export function assertJoinable({ config, preference, machine }: JoinPlan, localId: PeerId): void {
  if (config.heartbeatIntervalMs > 10_000) {
    throw new RangeError(`heartbeatIntervalMs must be at most 10000, got ${config.heartbeatIntervalMs}`);
  }
  if (typeof preference === 'object') {
    const factor: unknown = preference.reluctant;
    if (typeof factor !== 'number' || !(factor >= 1 && factor <= 100))
      throw new RangeError(`preference.reluctant must be a factor from 1 to 100, got ${String(factor)}`);
  } else if (preference !== 'normal' && preference !== 'observer' && preference !== 'witness') {
    throw new TypeError(
      `preference must be 'normal', 'observer', 'witness' or { reluctant }, got ${JSON.stringify(preference)}`,
    );
  }
  const listed = config.quorum.type === 'Voters' && config.quorum.witnesses.includes(localId);
  if (listed !== (preference === 'witness'))
    throw new RangeError(
      listed
        ? "quorum.witnesses lists this node: it has to join with preference 'witness'"
        : "preference 'witness' needs this node in quorum.witnesses",
    );
  if (config.quorum.type === 'Voters') {
    if (preference === 'observer' && config.quorum.voters.includes(localId))
      throw new RangeError("preference 'observer' contradicts quorum.voters, which lists this node");
  } else if (!machine.reset && !(machine.snapshot && machine.restore)) {
    throw new TypeError(
      "a state machine needs reset(), or snapshot() and restore(), in quorum mode 'dynamic'",
    );
  }
}
