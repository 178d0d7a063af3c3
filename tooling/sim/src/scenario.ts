import type { CompactionOptions, ConsensusOptions, Preference } from '@mosaik/groups';
import { seededRng } from '@mosaik/wire/testing';
import { Random } from './random.ts';

/** What can be broken on purpose, to show that the checks see it. */
export type PlantedBug =
  /** One member's state machine ignores one command. */
  | 'drop-command'
  /** Strong reads are answered from the member's own state. */
  | 'local-strong-reads'
  /** A write that failed for certain is sent again behind the client's back. */
  | 'retry-after-failure'
  /** A disk says that it synced and loses the end of the log in a crash. */
  | 'lying-disk'
  /** A voter forgets its term, vote and log, and does not know that it did. */
  | 'forgotten-vote';

export type FaultKind =
  | 'sever'
  | 'slow'
  | 'crash'
  | 'crash-several'
  | 'leave'
  | 'rejoin'
  | 'cut-pair'
  | 'cut-one-way'
  | 'isolate'
  | 'split';

/** Everything about a run that is decided before it starts. */
export interface Scenario {
  readonly seed: number;
  readonly mode: 'dynamic' | 'voters';
  readonly members: number;
  /** The first so many members are the genesis set; the others are learners. */
  readonly voters: number;
  readonly config: ConsensusOptions;
  /** Milliseconds one way, by pair; jitter comes on top. */
  readonly latencyMs: { readonly min: number; readonly max: number; readonly jitter: number };
  /** 0: a write is durable at once. */
  readonly maxFsyncMs: number;
  /** How much faster or slower clocks run than true time, at most. */
  readonly drift: number;
  /** Whose addresses a member is started with: everybody's, or only the next one's. */
  readonly bootstrap: 'all' | 'next';
  /** How far wall clocks may be off, either way. */
  readonly maxSkewMs: number;
  /** How much each member wants to lead. */
  readonly preferences: readonly Preference[];
  /** How often a value is large enough to fill appends and windows. */
  readonly largeValues: number;
  /** All members start within so many milliseconds. */
  readonly startWithinMs: number;
  readonly faultsForMs: number;
  readonly meanFaultGapMs: number;
  readonly faults: Readonly<Record<FaultKind, number>>;
  readonly clients: number;
  readonly meanThinkMs: number;
  /** Voters mode: when members take snapshots and give up their logs; never where it is absent. */
  readonly compaction: CompactionOptions | undefined;
  readonly planted: PlantedBug | undefined;
}

/** The scenario of a seed. */
export function createScenario(seed: number, planted?: PlantedBug): Scenario {
  const random = new Random(seededRng(BigInt(seed) * 2n + 1n));
  const mode = random.chance(0.5) ? 'dynamic' : 'voters';
  const members = random.pick([1, 2, 3, 3, 3, 3, 4, 4, 5, 5, 5, 6, 7, 9]);
  const voters = mode === 'dynamic' ? members : Math.max(1, members - (random.chance(0.2) ? 1 : 0));
  const far = random.chance(0.2);
  const weight = (often: number) => (random.chance(0.7) ? random.between(0.2, 1) * often : 0);
  // In dynamic mode the two sides of a partition conflict by design, and merging them is not built.
  const voterWeight = (often: number) => (mode === 'voters' ? weight(often) : 0);
  return {
    seed,
    mode,
    members,
    voters,
    config: random.chance(0.5)
      ? {}
      : {
          heartbeatIntervalMs: 100,
          electionTimeoutMs: 600,
          electionTimeoutJitterMs: 300,
          bootstrapDelayMs: 1500,
          maxMissedHeartbeats: random.integer(3, 10),
        },
    latencyMs: { min: 0.1, max: far ? 40 : 5, jitter: random.pick([0, 1, 20]) },
    maxFsyncMs: random.pick([0, 0, 2, 20]),
    drift: random.pick([0, 0, 0.01]),
    // Dynamic: who does not meet the others before it may found a group founds one of its own, by design (D5).
    bootstrap: mode === 'voters' && random.chance(0.3) ? 'next' : 'all',
    // Two clocks further apart than discovery's `maxTimeDriftMs` keep members from hearing of each other.
    maxSkewMs: random.pick([0, 5000, 60_000]),
    preferences: Array.from({ length: members }, (_, index): Preference => {
      // Dynamic: when an observer is the last that has a log, nobody may go on from it (see the README).
      if (mode === 'voters' && index >= voters && random.chance(0.3)) return 'observer';
      return random.chance(0.1) ? { reluctant: 3 } : 'normal';
    }),
    largeValues: random.pick([0, 0, 0.03]),
    startWithinMs: random.pick([0, 50, 5000]),
    faultsForMs: random.integer(8_000, 30_000),
    meanFaultGapMs: random.pick([400, 1500, 4000]),
    faults: {
      sever: weight(3),
      slow: weight(2),
      crash: weight(3),
      'crash-several': weight(1),
      leave: weight(1),
      rejoin: weight(1),
      'cut-pair': voterWeight(2),
      'cut-one-way': voterWeight(2),
      isolate: voterWeight(2),
      split: voterWeight(1),
    },
    clients: random.integer(1, 4),
    meanThinkMs: random.pick([30, 150, 500]),
    compaction:
      mode === 'voters' && random.chance(0.6)
        ? { snapshotAfterEntries: random.pick([16, 60, 200]), retainBytes: random.pick([0, 8000, 80_000]) }
        : undefined,
    planted,
  };
}

export function describeScenario(scenario: Scenario): string {
  const { mode, members, voters, config, latencyMs, maxFsyncMs, drift, maxSkewMs, bootstrap, clients } =
    scenario;
  const { compaction } = scenario;
  const faults = Object.entries(scenario.faults)
    .filter(([, weight]) => weight > 0)
    .map(([kind]) => kind);
  return [
    `${members} members, ${mode}${mode === 'voters' ? ` (${voters} of genesis)` : ''}`,
    `election timeout ${config.electionTimeoutMs ?? 2000} ms`,
    `latency ${latencyMs.min}–${latencyMs.max} ms + ${latencyMs.jitter} ms`,
    `fsync ≤ ${maxFsyncMs} ms, drift ${drift}, skew ≤ ${maxSkewMs} ms, bootstrap ${bootstrap}`,
    ...(scenario.preferences.every((preference) => preference === 'normal')
      ? []
      : [`preferences ${scenario.preferences.map(describePreference).join(' ')}`]),
    compaction ? `a snapshot every ${compaction.snapshotAfterEntries} entries` : 'no snapshots',
    `${clients} clients, faults for ${scenario.faultsForMs} ms: ${faults.join(', ') || 'none'}`,
    ...(scenario.planted ? [`planted bug: ${scenario.planted}`] : []),
  ].join('; ');
}

function describePreference(preference: Preference): string {
  return typeof preference === 'object' ? 'reluctant' : preference;
}
