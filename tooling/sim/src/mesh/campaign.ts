import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import type { Batch, BatchResult } from './batch.ts';
import { describeFailure } from './run-one.ts';
import { WORKER } from './worker.ts';

/** Seeds that a worker is given at a time. */
const BATCH = 10;
const TELL_EVERY_MS = 10_000;
/** A run leaves much garbage that dies young: with the default size a tenth of the time went into collecting it. */
const YOUNG_MB = 96;

export interface CampaignInit {
  readonly first: number;
  readonly runs: number;
  readonly workers: number;
  /** Where the count is kept, so that the next campaign goes on. */
  readonly stateFile: string | undefined;
  readonly keepGoing: boolean;
  /** The module that workers run. */
  readonly file: string;
}

/** What a state file holds. */
interface State {
  /** All seeds below it, from the first, are done. */
  next: number;
  runs: number;
  acked: number;
  steps: number;
  failures: { seed: number; problem: string }[];
}

/** Many seeds on several threads; resolves with the exit code. */
export async function runMany(init: CampaignInit): Promise<number> {
  const state = load(init);
  const startedAt = state.runs;
  const startedMs = performance.now();
  const end = state.next + init.runs;
  const waiting = new Map<number, BatchResult>();
  let handedOut = state.next;
  let toldMs = startedMs;
  let stopped = false;
  const rate = () => ((state.runs - startedAt) / (performance.now() - startedMs)) * 60_000;
  const tell = () =>
    console.log(
      `${state.runs} runs, ${state.failures.length} failed, ${state.acked} writes acknowledged, ${rate().toFixed(0)} runs a minute`,
    );

  const take = (result: BatchResult) => {
    waiting.set(result.from, result);
    for (let batch = waiting.get(state.next); batch; batch = waiting.get(state.next)) {
      waiting.delete(state.next);
      state.next = batch.to;
      state.runs += batch.to - batch.from;
      state.acked += batch.acked;
      state.steps += batch.steps;
      for (const failure of batch.failures) {
        state.failures.push(failure);
        console.log(describeFailure(failure.seed, failure.problem));
        if (!init.keepGoing) stopped = true;
      }
    }
    if (init.stateFile !== undefined)
      writeFileSync(init.stateFile, `${JSON.stringify(state, undefined, 1)}\n`);
    if (performance.now() - toldMs < TELL_EVERY_MS) return;
    toldMs = performance.now();
    tell();
  };
  const nextBatch = (): Batch | undefined => {
    if (stopped || handedOut >= end) return undefined;
    const from = handedOut;
    handedOut = Math.min(end, from + BATCH);
    return { from, to: handedOut };
  };
  await Promise.all(
    Array.from({ length: Math.max(1, init.workers) }, () => work(init.file, nextBatch, take)),
  );
  tell();
  return state.failures.length > 0 ? 1 : 0;
}

/** One thread, until there is nothing left. */
function work(
  file: string,
  nextBatch: () => Batch | undefined,
  take: (result: BatchResult) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(file, {
      workerData: WORKER,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
    });
    const give = () => {
      const batch = nextBatch();
      if (batch) worker.postMessage(batch);
      else void worker.terminate().then(() => resolve());
    };
    worker.on('message', (result: BatchResult) => {
      take(result);
      give();
    });
    worker.on('error', reject);
    give();
  });
}

function load({ stateFile, first }: CampaignInit): State {
  if (stateFile !== undefined && existsSync(stateFile)) return JSON.parse(readFileSync(stateFile, 'utf8'));
  return { next: first, runs: 0, acked: 0, steps: 0, failures: [] };
}
