import { consensus, GroupError, GroupKey, Network, SecretKey } from '@mosaik/network';
import { memoryLogStorage } from '@mosaik/raft';
import { fileLogStorage } from '@mosaik/raft/file';
import type { PeerId } from '@mosaik/wire';
import type { Logger } from '@mosaik/wire/runtime';
import { ledger } from './ledger.ts';
import type { Answer, Deed, MemberStart, Report, Request } from './messages.ts';

/** A call waits so long for its answer; after that its outcome is unknown. */
const CALL_TIMEOUT_MS = 4000;

// One member of the group; it does what its parent asks and ends with it.
const start = JSON.parse(process.argv[2] ?? '') as MemberStart;
process.on('disconnect', () => process.exit());
const say = (level: string) => (fields: object, message: string) => {
  process.stderr.write(`${level} ${message} ${JSON.stringify(fields, replacer)}\n`);
};
const report = (said: Report) => void process.send?.(said);
const did = (deed: Deed) => report({ deed });
const logger: Logger = {
  debug() {},
  info(fields, message) {
    if (message === 'installed a snapshot') did(message);
    say('info')(fields, message);
  },
  warn: say('warn'),
  error: say('error'),
};
const [host = '', port = ''] = start.listen.split(':');
const network = await Network.create({
  networkId: 'rounds',
  secretKey: SecretKey.from(Buffer.from(start.secretKey, 'hex')),
  listen: { host, port: Number(port) },
  advertise: [start.advertise],
  discovery: { bootstrap: start.bootstrap },
  logger,
});
const group = network.groups
  .withKey(GroupKey.from(start.groupKey))
  .withStateMachine(ledger(() => did('took a snapshot')))
  .withLogStorage(
    start.forgets ? memoryLogStorage() : fileLogStorage(start.directory, { segmentBytes: 65_536, logger }),
  )
  // So little that whoever was away for a few seconds needs a snapshot, and is killed while it takes or installs one.
  .withCompaction({ snapshotAfterEntries: 16, snapshotAfterBytes: 4096, retainBytes: 16_384 })
  .withConsensus(
    consensus({
      quorum: { voters: start.voters as PeerId[] },
      // Long enough for a machine that does much else, short enough for what is inflicted to matter.
      heartbeatIntervalMs: 200,
      heartbeatJitterMs: 50,
      electionTimeoutMs: 1200,
      electionTimeoutJitterMs: 1200,
      bootstrapDelayMs: 300,
    }),
  )
  .join();
void group.closed.then(({ reason, cause }) => {
  if (reason === 'failed') logger.error({ cause: String(cause) }, 'the member failed');
});

async function answer(request: Request): Promise<Answer> {
  switch (request.type) {
    case 'write': {
      const { key, id } = request;
      return { index: (await group.execute({ key, id }, { timeoutMs: CALL_TIMEOUT_MS })).index };
    }
    case 'read': {
      const query = { key: request.key };
      const { result } = await group.query(query, { consistency: 'strong', timeoutMs: CALL_TIMEOUT_MS });
      return { entries: result };
    }
    case 'all':
      return { entries: (await group.query('all', { consistency: 'weak' })).result };
    case 'status': {
      const { online, role, state, problem, committed, applied, term } = group.status.value;
      return { status: { online, leads: role === 'leader', state, problem, committed, applied, term } };
    }
  }
}

process.on('message', async ({ call, request }: { call: number; request: Request }) => {
  const answered = await answer(request).catch((error: unknown): Answer => {
    return { error: error instanceof GroupError ? error.code : String(error) };
  });
  report({ call, answer: answered });
});
report({ ready: true });

function replacer(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}`;
  return value instanceof Error ? `${value.name}: ${value.message}` : value;
}
