import { runScenario, type ScenarioInit, type ScenarioResult } from '@mosaik/raft/simulation';
import { Mesh } from './mesh.ts';

/**
 * One seeded life of a group whose raft cores stand on the cores of bonds, handshake and discovery.
 *
 * @throws InvariantViolation
 */
export function runMeshScenario(seed: number, options: Partial<ScenarioInit> = {}): ScenarioResult {
  const mode = seed % 2 === 0 ? 'voters' : 'dynamic';
  return runScenario({
    seed,
    mode,
    createNetwork: (cluster) =>
      new Mesh(cluster, {
        maxDelayMs: cluster.init.maxDelayMs ?? 20,
        loss: [0, 0, 0.01, 0.1][(seed >> 3) % 4] ?? 0,
        // A bond must outlive the usual delays.
        maxMissedHeartbeats: [20, 10, 15][(seed >> 4) % 3] ?? 10,
        // Dynamic: who does not meet the others before it may found a group founds one of its own, by design (D5).
        bootstrap: mode === 'voters' && seed % 7 === 0 ? 'next' : 'all',
      }),
    ...options,
  });
}
