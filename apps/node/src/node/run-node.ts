import type { UpSettings } from '../cli/settings.ts';
import type { DashboardPage } from '../dashboard/page.ts';
import { createLogger } from './logger.ts';
import { type RunningNode, startNode } from './start-node.ts';
import { stopSignal } from './stop-signal.ts';

export interface RunNodeOptions {
  readonly page: DashboardPage;
  /** Announce readiness as JSON. */
  readonly json: boolean;
  /** Stop when stdin ends: how a supervisor's death reaches its children. */
  readonly untilStdinEnds: boolean;
}

/** Leaving is bounded: whoever waits for the exit must not wait for a peer that is gone. */
const STOP_TIMEOUT_MS = 10_000;

/** Runs a node until it is told to stop, then leaves the group in order. */
export async function runNode(settings: UpSettings, options: RunNodeOptions): Promise<void> {
  const logger = createLogger(settings.logLevel);
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error) => {
      logger.error({ error }, 'a failure that nobody handled');
      process.exit(1);
    });
  }
  const stop = stopSignal({ untilStdinEnds: options.untilStdinEnds });
  const node = await startNode(settings, { page: options.page, logger });
  announce(node, settings, options.json);
  const end = await Promise.race([stop, node.failed.then((cause) => ({ cause }))]);
  if (typeof end === 'string') logger.info({ reason: end }, 'stopping');
  else logger.error({ cause: end.cause }, 'the node can not go on');

  const late = setTimeout(() => {
    logger.error({ timeoutMs: STOP_TIMEOUT_MS }, 'could not leave in time');
    process.exit(1);
  }, STOP_TIMEOUT_MS);
  await node.close();
  clearTimeout(late);
  logger.info({}, 'stopped');
  // Nothing of ours is left; a native handle of the transport may be.
  process.exit(typeof end === 'string' ? 0 : 1);
}

function announce(node: RunningNode, settings: UpSettings, json: boolean): void {
  const { peerId, addresses, http } = node;
  const line = json
    ? JSON.stringify({ event: 'ready', peerId, addresses, http, network: settings.network, pid: process.pid })
    : `mosaik: ${peerId} ready; peers: ${addresses.join(', ')}; http: ${http}`;
  process.stdout.write(`${line}\n`);
}
