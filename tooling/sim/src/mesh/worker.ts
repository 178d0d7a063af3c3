import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { type Batch, runBatch } from './batch.ts';

/** What tells a worker of ours from other threads that load this module. */
export const WORKER = 'simulation';

/** In a worker: runs the seeds that it is sent, and answers with what became of them. */
export function serveSeeds(): void {
  if (isMainThread || workerData !== WORKER || !parentPort) return;
  const port = parentPort;
  port.on('message', (batch: Batch) => port.postMessage(runBatch(batch)));
}
