import type { GroupId, PeerId, RaftEpoch } from '@mosaik/wire';
import { type Rng, systemRng } from '@mosaik/wire/runtime';
import { parseEnvelope } from './core/envelope.ts';
import { RaftLog } from './core/log.ts';
import { restoreLog } from './core/restore-log.ts';
import { hasMachinePart } from './core/witness-retention.ts';
import { RaftError } from './errors.ts';
import type { LogStorage, StoredSnapshot } from './storage/log-storage.ts';

export interface ForceNewGroupInit {
  /** The log of the one member whose state survives; nobody else may have it open. Closed in the end. */
  readonly storage: LogStorage;
  readonly member: PeerId;
  /** Default: whichever the store is of. */
  readonly group?: GroupId | undefined;
  /** Default: the machine's. */
  readonly rng?: Rng | undefined;
}

/** What was done, for whoever has to answer for it. */
export interface ForcedGroup {
  /** The last entry that is kept; whatever the lost members had beyond is gone. */
  readonly kept: { readonly term: number; readonly index: number };
  /** The voters of before, without this member: each counts again once it comes back with an empty log. */
  readonly others: readonly PeerId[];
}

/**
 * Begins a group of voters anew from one member's log, when a majority is lost for ever. It is a step by hand, while the
 * member is stopped: its log gets a forced opening that names it alone, under a new incarnation.
 *
 * Acknowledged writes that this log does not have are lost. The other members have to come back without their logs:
 * whoever still has one is of another history, says so in `status.problem`, and is not let in. When a majority of them
 * lives after all, there are two groups from now on.
 *
 * @throws RaftError `not-a-voter` when the log does not list the member, is empty, or is a witness's that gave up
 * entries; whatever the storage throws.
 */
export async function forceNewGroup({
  storage,
  member,
  group,
  rng = systemRng,
}: ForceNewGroupInit): Promise<ForcedGroup> {
  const stored = await storage.open(group && { group, member });
  try {
    const log = new RaftLog();
    if (stored) restoreLog(log, stored);
    const listed = [...log.members.map(({ peer }) => peer), ...log.learners];
    if (!stored || !listed.includes(member))
      throw new RaftError('not-a-voter', 'this log is empty, or does not list the member among the voters');
    // A witness's log may begin after entries that it gave up, and has no state that stands for them.
    if (stored.base > 0 && stored.snapshot && isOfWitness(stored.snapshot))
      throw new RaftError(
        'not-a-voter',
        'this is the log of a witness, which gave up entries: take a data voter’s',
      );
    const others = listed.filter((peer) => peer !== member);
    const term = Math.max(stored.hardState.term, log.lastTerm) + 1;
    const epoch: RaftEpoch = { term, leader: member, nonce: rng.u64() };
    const incarnation = rng.u64();
    const members = [{ peer: member, incarnation }];
    await storage.write({
      hardState: { incarnation, term, vote: epoch },
      append: [{ epoch, entries: [{ type: 'Opening', forced: true, members, learners: others }] }],
    });
    return { kept: { term: log.lastTerm, index: log.last }, others };
  } finally {
    await storage.close();
  }
}

/** A data voter's has the sessions, even where its machine is empty. */
function isOfWitness(snapshot: StoredSnapshot): boolean {
  return !hasMachinePart(snapshot) && parseEnvelope(snapshot.envelope).sessions.length === 0;
}
