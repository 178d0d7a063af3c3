import { join } from 'node:path';
import { getRequestListener } from '@hono/node-server';
import { filePeerBook } from '@mosaik/discovery';
import { keyValue } from '@mosaik/groups';
import { Network, type SecretKey, TransportError } from '@mosaik/network';
import { RaftError } from '@mosaik/raft';
import { type DirectoryLock, fileLogStorage, lockDirectory } from '@mosaik/raft/file';
import { quicTransport } from '@mosaik/transport/quic';
import { tlsTransport } from '@mosaik/transport/tls';
import type { PeerId } from '@mosaik/wire';
import { type Logger, systemClock } from '@mosaik/wire/runtime';
import { CommandError } from '../cli/command-error.ts';
import { describeError } from '../cli/describe-error.ts';
import { formatHostPort, isLoopbackHost } from '../cli/parse-host-port.ts';
import type { Sourced, UpSettings } from '../cli/settings.ts';
import { UsageError } from '../cli/usage-error.ts';
import type { DashboardPage } from '../dashboard/page.ts';
import { openIdentity } from '../files/identity.ts';
import { LOG_DIRECTORY } from '../files/log-directory.ts';
import { createHttpApp } from '../http/app.ts';
import { bindHttp } from '../http/bind-http.ts';
import { registerGroupGauges } from './group-gauges.ts';
import { GroupNode, type KeyValueGroup } from './group-node.ts';
import { logChanges } from './log-changes.ts';
import { PrometheusMetrics } from './prometheus-metrics.ts';

export interface StartNodeComponents {
  readonly page: DashboardPage;
  readonly logger: Logger;
}

export interface RunningNode {
  readonly peerId: PeerId;
  /** Where peers can dial it. */
  readonly addresses: readonly string[];
  readonly http: string;
  /** Resolves when the node can not go on, with why; never rejects. */
  readonly failed: Promise<unknown>;
  /** Leaves the group, departs from the network, frees the ports. */
  close(): Promise<void>;
}

/** How long requests in flight may take to finish once the node stops. */
const HTTP_GRACE_MS = 1_000;
/** The file of a data directory that holds the entries of peers that were met. */
const PEER_BOOK_FILE = 'peers';
const NEVER = new Promise<never>(() => {});
const transports = { quic: quicTransport, tls: tlsTransport };
/** What is wrong with the address to bind, as opposed to this machine. */
const LISTEN_ERRORS: ReadonlySet<string> = new Set(['address-in-use', 'address-invalid', 'bind-failed']);

/** Network, group and HTTP API from settings. @throws UsageError for what only trying could show. */
export async function startNode(settings: UpSettings, components: StartNodeComponents): Promise<RunningNode> {
  const { logger, page } = components;
  const { dataDir } = settings;
  const secretKey = dataDir && (await openIdentity(dataDir.value, dataDir.source));
  // Before anybody is met: two processes of one identity would take each other's bonds.
  const lock = dataDir && (await lockDataDir(dataDir));
  const http = await bindHttp(settings.http).catch(async (error: unknown) => {
    await lock?.release();
    throw error;
  });
  const metrics = new PrometheusMetrics({ process: true });
  const stopping = new AbortController();
  let network: Network | undefined;
  let group: KeyValueGroup;
  try {
    network = await createNetwork(settings, { secretKey, metrics, logger });
    group = joinGroup(network, settings, logger);
    await openLog(group, dataDir);
  } catch (error) {
    await Promise.all([http.close(0), network?.close()]);
    await lock?.release();
    throw error;
  }
  const node = new GroupNode({ network, networkName: settings.network, group });
  registerGroupGauges(metrics.registry, () => node.status());
  const app = createHttpApp({
    node,
    page,
    metrics: metrics.registry,
    token: settings.httpToken,
    loopback: isLoopbackHost(settings.http.value.host),
    clock: systemClock,
    logger,
    signal: stopping.signal,
  });
  http.serve(getRequestListener(app.fetch));
  logChanges(group, logger);
  logger.info({ peer: network.id, addresses: network.addresses, group: group.id, http: http.url }, 'ready');
  return {
    peerId: network.id,
    addresses: network.addresses,
    http: http.url,
    failed: group.closed.then(({ reason, cause }) => (reason === 'failed' ? cause : NEVER)),
    async close() {
      stopping.abort();
      await Promise.all([http.close(HTTP_GRACE_MS), network.close()]);
      await lock?.release();
    },
  };
}

async function createNetwork(
  settings: UpSettings,
  components: { secretKey: SecretKey | undefined; metrics: PrometheusMetrics; logger: Logger },
): Promise<Network> {
  const { listen, dataDir, advertise } = settings;
  const { secretKey, metrics, logger } = components;
  try {
    return await Network.create({
      networkId: settings.network,
      transport: transports[settings.transport],
      listen: listen.value,
      ...(secretKey ? { secretKey } : {}),
      ...(advertise.length > 0 ? { advertise } : {}),
      discovery: {
        bootstrap: settings.bootstrap,
        ...(dataDir ? { peerBook: filePeerBook(join(dataDir.value, PEER_BOOK_FILE)) } : {}),
      },
      metrics,
      logger,
    });
  } catch (error) {
    if (!(error instanceof TransportError)) throw error;
    if (!LISTEN_ERRORS.has(error.code)) throw new CommandError(describeError(error), { cause: error });
    throw UsageError.for(listen.source, formatHostPort(listen.value), describeError(error), { cause: error });
  }
}

/** Nobody is told that the node is ready before it has its log. */
async function openLog(group: KeyValueGroup, dataDir: Sourced<string> | undefined): Promise<void> {
  try {
    await group.opened;
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    if (!dataDir || !(cause instanceof RaftError)) throw error;
    // What it holds is the operator's to mend; that it can not be read or written is the machine's.
    if (cause.code === 'storage-failed') throw new CommandError(describeError(cause), { cause });
    throw UsageError.for(dataDir.source, dataDir.value, describeError(cause), { cause });
  }
}

async function lockDataDir({ value, source }: Sourced<string>): Promise<DirectoryLock> {
  try {
    return await lockDirectory(value);
  } catch (error) {
    throw UsageError.for(source, value, describeError(error), { cause: error });
  }
}

function joinGroup(network: Network, settings: UpSettings, logger: Logger): KeyValueGroup {
  const { groupKey, voters, witness, preference, membershipSources, dataDir } = settings;
  try {
    const builder = network.groups.withKey(groupKey).withStateMachine(keyValue());
    if (dataDir) builder.withLogStorage(fileLogStorage(join(dataDir.value, LOG_DIRECTORY), { logger }));
    return builder
      .withConsensus(voters ? { quorum: { voters, witnesses: witness ? [witness] : [] } } : {})
      .withPreference(preference)
      .join();
  } catch (error) {
    // The same settings may be right elsewhere: only this node's id tells, as with an observer among the voters.
    if (error instanceof TypeError || error instanceof RangeError) {
      throw new UsageError(`${membershipSources.join(', ')}: ${describeError(error)}`, { cause: error });
    }
    throw error;
  }
}
