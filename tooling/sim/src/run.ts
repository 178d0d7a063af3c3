import { startClients } from './clients.ts';
import { startFaults } from './faults.ts';
import { quiet } from './quiet.ts';
import { createScenario, describeScenario, type PlantedBug } from './scenario.ts';
import { Violation } from './violation.ts';
import { World } from './world.ts';

export interface RunOptions {
  /** Breaks something on purpose. */
  planted?: PlantedBug | undefined;
  /** Called with each event as it happens. */
  onEvent?: ((line: string) => void) | undefined;
}

export interface RunResult {
  readonly seed: number;
  readonly scenario: string;
  /** Undefined when every invariant held. */
  readonly violation: Violation | undefined;
  /** Of everything that happened. */
  readonly digest: string;
  readonly recent: readonly string[];
  readonly steps: number;
  /** Virtual milliseconds. */
  readonly durationMs: number;
  /** Entries that were agreed on. */
  readonly committed: number;
  /** How many calls ended how. */
  readonly calls: Readonly<Record<string, number>>;
}

/** Runs the scenario of one seed. The same seed always gives the same run. */
export async function simulate(seed: number, options: RunOptions = {}): Promise<RunResult> {
  const scenario = createScenario(seed, options.planted);
  const world = new World(scenario);
  world.trace.listener = options.onEvent;
  const onRejection = (error: unknown) =>
    world.report(
      'no promise rejects unhandled',
      error instanceof Error ? (error.stack ?? error.message) : String(error),
    );
  process.on('unhandledRejection', onRejection);
  try {
    for (const member of world.members) {
      const delayMs = world.random.between(0, scenario.startWithinMs);
      world.clock.schedule(delayMs, () => void world.start(member));
    }
    startClients(world);
    startFaults(world);
    await world.runUntil(scenario.faultsForMs);
    await quiet(world);
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
  } finally {
    for (const { clock } of world.members) clock?.stop();
    process.off('unhandledRejection', onRejection);
  }
  return {
    seed,
    scenario: describeScenario(scenario),
    violation: world.violation,
    digest: world.trace.digest,
    recent: world.trace.recent,
    steps: world.steps,
    durationMs: world.clock.nowMs(),
    committed: world.agreed.length,
    calls: world.history.counts,
  };
}

/** What was violated, what led there, and how to see it again. */
export function describeFailure({ seed, scenario, violation, recent }: RunResult): string {
  return [
    `seed ${seed}: ${scenario}`,
    ...recent.map((line) => `  ${line}`),
    `VIOLATED: ${violation?.message ?? 'nothing'}`,
    `replay: pnpm sim --whole --seed ${seed}`,
  ].join('\n');
}
