import { type ConsensusConfig, isId, type PeerId } from '@mosaik/wire';

/** What all members of a group agree on; every field is part of the group's identity. */
export interface ConsensusOptions {
  /** A leader's append, and a bond's heartbeat, at least this often. Default 500, 10 … 10 000 ms. */
  heartbeatIntervalMs?: number | undefined;
  /** Up to this much earlier, at random, so that members do not beat in step. Default 150, below the interval. */
  heartbeatJitterMs?: number | undefined;
  /** Missed beats after which a bond is lost. Default 10, 1 … 1000. */
  maxMissedHeartbeats?: number | undefined;
  /** Silence of the leader after which others campaign. Default 2000; at least two heartbeat intervals, at most 600 000 ms. */
  electionTimeoutMs?: number | undefined;
  /** Up to this much later, at random, drawn anew per campaign. Default 500, 1 … 600 000 ms: too small and campaigns collide. */
  electionTimeoutJitterMs?: number | undefined;
  /** How long a member without a log looks for one before it founds a group. Default 3000, 0 … 600 000 ms. */
  bootstrapDelayMs?: number | undefined;
  /** How long a follower waits for the leader to take a forwarded command. Default 2000, 1 … 600 000 ms. */
  forwardTimeoutMs?: number | undefined;
  /** How long a strong query may take. Default 2000, 1 … 600 000 ms. */
  queryTimeoutMs?: number | undefined;
  /**
   * Who counts: the members that the bonds give (`dynamic`, default), or a fixed genesis list of 1 to 64 voters and at
   * most one witness beside them, nobody twice; their order does not matter.
   */
  quorum?:
    | 'dynamic'
    | { readonly voters: readonly PeerId[]; readonly witnesses?: readonly PeerId[] | undefined }
    | undefined;
  /** Largest command, and largest run of `executeMany`. Default 1 MiB, 1 … 8 MiB. */
  maxCommandBytes?: number | undefined;
  /**
   * How many idempotency keys the members remember, oldest forgotten first, and how many of their own sessions (64 of
   * those in any case). Default 4096, 1 … 1 048 576; a key takes some 200 bytes and its output, at most 4 KiB.
   */
  maxSessions?: number | undefined;
}

const MAX_MS = 600_000;
const MAX_VOTERS = 64;

/**
 * The consensus configuration of a group, complete and frozen.
 *
 * @throws RangeError or TypeError that names the field and the value.
 */
export function consensus(options: ConsensusOptions = {}): ConsensusConfig {
  const heartbeatIntervalMs = integer('heartbeatIntervalMs', options.heartbeatIntervalMs, 500, 10, 10_000);
  const electionTimeoutMs = integer('electionTimeoutMs', options.electionTimeoutMs, 2000, 20, MAX_MS);
  if (electionTimeoutMs < 2 * heartbeatIntervalMs) {
    throw new RangeError(
      `electionTimeoutMs must be at least two heartbeatIntervalMs (${2 * heartbeatIntervalMs}), got ${electionTimeoutMs}`,
    );
  }
  return Object.freeze({
    heartbeatIntervalMs,
    heartbeatJitterMs: integer(
      'heartbeatJitterMs',
      options.heartbeatJitterMs,
      Math.min(150, Math.floor(heartbeatIntervalMs / 3)),
      0,
      heartbeatIntervalMs - 1,
    ),
    maxMissedHeartbeats: integer('maxMissedHeartbeats', options.maxMissedHeartbeats, 10, 1, 1000),
    electionTimeoutMs,
    electionTimeoutJitterMs: integer(
      'electionTimeoutJitterMs',
      options.electionTimeoutJitterMs,
      500,
      1,
      MAX_MS,
    ),
    bootstrapDelayMs: integer('bootstrapDelayMs', options.bootstrapDelayMs, 3000, 0, MAX_MS),
    forwardTimeoutMs: integer('forwardTimeoutMs', options.forwardTimeoutMs, 2000, 1, MAX_MS),
    queryTimeoutMs: integer('queryTimeoutMs', options.queryTimeoutMs, 2000, 1, MAX_MS),
    quorum: parseQuorum(options.quorum ?? 'dynamic'),
    maxCommandBytes: integer('maxCommandBytes', options.maxCommandBytes, 1 << 20, 1, 8 << 20),
    maxSessions: integer('maxSessions', options.maxSessions, 4096, 1, 1 << 20),
  });
}

function parseQuorum(quorum: NonNullable<ConsensusOptions['quorum']>): ConsensusConfig['quorum'] {
  if (quorum === 'dynamic') return Object.freeze({ type: 'Dynamic' });
  if (typeof quorum !== 'object' || quorum === null || !Array.isArray(quorum.voters)) {
    throw new TypeError(`quorum must be 'dynamic' or { voters: PeerId[] }, got ${JSON.stringify(quorum)}`);
  }
  const voters = peerSet('quorum.voters', quorum.voters);
  const witnesses = peerSet('quorum.witnesses', quorum.witnesses ?? []);
  if (voters.length === 0 || voters.length > MAX_VOTERS) {
    throw new RangeError(`quorum.voters must list 1 to ${MAX_VOTERS} peers, got ${voters.length}`);
  }
  if (witnesses.length > 1)
    throw new RangeError(`quorum.witnesses must list at most one peer, got ${witnesses.length}`);
  if (witnesses.length > 0 && voters.length < 2)
    throw new RangeError(`quorum.witnesses needs at least two quorum.voters, got ${voters.length}`);
  for (const witness of witnesses) {
    if (voters.includes(witness))
      throw new RangeError(`quorum.voters and quorum.witnesses both list ${witness}`);
  }
  return Object.freeze({ type: 'Voters', voters, witnesses });
}

/** Sorted, so that equal sets are equal groups. Whoever is listed twice stands where somebody else was meant. */
function peerSet(name: string, peers: readonly PeerId[]): PeerId[] {
  const set = new Set<PeerId>();
  for (const peer of peers) {
    if (typeof peer !== 'string' || !isId(peer))
      throw new TypeError(`${name} must list PeerIds, got ${JSON.stringify(peer)}`);
    const id = peer.toLowerCase() as PeerId;
    if (set.has(id)) throw new RangeError(`${name} lists ${id} twice`);
    set.add(id);
  }
  return [...set].sort();
}

function integer(
  name: string,
  value: number | undefined,
  fallback: number,
  min: number,
  max: number,
): number {
  const given = value ?? fallback;
  if (typeof given !== 'number') throw new TypeError(`${name} must be a number, got ${typeof given}`);
  if (!Number.isInteger(given) || given < min || given > max) {
    throw new RangeError(`${name} must be an integer from ${min} to ${max}, got ${given}`);
  }
  return given;
}
