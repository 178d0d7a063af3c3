import { type ConsensusOptions, consensus } from '@mosaik/raft';
import type { LogEntry, PeerId, RaftBody, RaftEpoch, RaftMember } from '@mosaik/wire';
import { seededRng } from '@mosaik/wire/testing';
import { DEFAULT_LIMITS } from '../../src/core/config.ts';
import type { Effect } from '../../src/core/effect.ts';
import type { Input } from '../../src/core/input.ts';
import { RaftCore } from '../../src/core/raft-core.ts';

export const id = (index: number): PeerId => (index + 1).toString(16).padStart(2, '0').repeat(32) as PeerId;
export const incarnationOf = (index: number): bigint => 1000n + BigInt(index);
export const member = (index: number): RaftMember => ({ peer: id(index), incarnation: incarnationOf(index) });
export const epochOf = (term: number, leader: number): RaftEpoch => ({
  term,
  leader: id(leader),
  nonce: BigInt(term * 100 + leader),
});
export const command = (text: string): LogEntry => ({
  type: 'Command',
  session: 1,
  sequence: 1,
  unacked: 0,
  value: new TextEncoder().encode(text),
});
/** Proposals of a session that every log has. */
export const propose = (first: number, proposals: Uint8Array[][], session = 0): Input => ({
  type: 'propose',
  batch: { session, first, ackedBelow: 0, keys: [], proposals },
});
export const forward = (epoch: RaftEpoch, first: number, proposals: Uint8Array[][]): RaftBody => ({
  type: 'Forward',
  epoch,
  session: 0,
  first,
  ackedBelow: 0,
  keys: [],
  proposals,
});
/** Member `from` leads term 1 up to index 2, and hands over to `to`. */
export const timeoutNow = (from: number, to: number, last = 2): RaftBody => ({
  type: 'TimeoutNow',
  epoch: epochOf(1, from),
  last,
  next: epochOf(2, to),
  leaving: false,
});
/** A member with an empty log, as it describes itself. */
export const status = (extra: Partial<Extract<RaftBody, { type: 'Status' }>> = {}): RaftBody => ({
  type: 'Status',
  term: 0,
  sides: [],
  epoch: undefined,
  last: undefined,
  committed: 0,
  view: [],
  former: [],
  lastCommand: 0,
  joining: true,
  observer: false,
  stopped: false,
  runs: [],
  ...extra,
});

export const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

export const HEARTBEAT_MS = 100;
export const ELECTION_MS = 400;

export interface Given {
  /** How many members; the core under test is number 0. */
  size?: number;
  mode?: 'voters' | 'dynamic';
  term?: number;
  vote?: RaftEpoch | undefined;
  log?: { epoch: RaftEpoch; entries: LogEntry[] }[];
  observer?: boolean;
  /** Which one is the witness. */
  witness?: number;
  options?: ConsensusOptions;
  limits?: Partial<typeof DEFAULT_LIMITS>;
}

/** One core, its inputs and its exact effects. Writes are durable only when `persist` says so. */
export class Harness {
  readonly core: RaftCore;
  nowMs = 0;
  #lastSeq = 0;

  constructor(given: Given = {}) {
    const size = given.size ?? 3;
    const voters = Array.from({ length: size }, (_, i) => id(i));
    this.core = new RaftCore({
      config: {
        localId: id(0),
        consensus: consensus({
          heartbeatIntervalMs: HEARTBEAT_MS,
          heartbeatJitterMs: 0,
          electionTimeoutMs: ELECTION_MS,
          electionTimeoutJitterMs: 100,
          bootstrapDelayMs: 0,
          ...given.options,
          quorum:
            given.mode === 'dynamic'
              ? 'dynamic'
              : {
                  voters: voters.filter((_, i) => i !== given.witness),
                  witnesses: voters.filter((_, i) => i === given.witness),
                },
        }),
        observer: given.observer ?? false,
        witness: given.witness === 0,
        reluctance: 1,
        limits: { ...DEFAULT_LIMITS, ...given.limits },
      },
      rng: seededRng(7),
      stored: {
        hardState: {
          incarnation: incarnationOf(0),
          term: given.term ?? 0,
          ...(given.vote ? { vote: given.vote } : {}),
        },
        base: 0,
        runs: given.log ?? [],
      },
      nowMs: 0,
    });
    this.drain();
    for (let i = 1; i < size; i += 1) this.bond(i);
  }

  get state(): RaftCore['state'] {
    return this.core.state;
  }

  bond(index: number): void {
    this.input({ type: 'bond-up', peer: id(index), incarnation: incarnationOf(index) });
    this.drain();
  }

  input(input: Input): void {
    this.core.handle(input, this.nowMs);
  }

  receive(from: number, body: RaftBody, incarnation: bigint = incarnationOf(from)): void {
    this.input({ type: 'message', from: id(from), message: { incarnation, body } });
  }

  /** One turn's effects without the noise; nothing becomes durable. */
  drain(continued = false): Effect[] {
    const effects = this.core.drain(this.nowMs, continued).filter((effect) => !NOISE.has(effect.type));
    for (const effect of effects) if (effect.type === 'persist') this.#lastSeq = effect.seq;
    return effects;
  }

  /** Makes everything durable, and gives what that releases. */
  persist(): Effect[] {
    this.input({ type: 'persisted', seq: this.#lastSeq });
    return this.drain();
  }

  /** Turns until nothing is left, all durable. */
  run(): Effect[] {
    const all: Effect[] = [];
    for (let continued = false; ; continued = true) {
      const effects = this.drain(continued);
      if (effects.length === 0) return all;
      all.push(...effects);
      if (effects.some((effect) => effect.type === 'persist'))
        this.input({ type: 'persisted', seq: this.#lastSeq });
    }
  }

  advance(ms: number): Effect[] {
    this.nowMs += ms;
    this.input({ type: 'tick' });
    return this.run();
  }

  /** The bodies sent, statuses left out, as `[to, body]`. */
  static sent(effects: readonly Effect[]): [number, RaftBody][] {
    return effects.flatMap((effect) =>
      effect.type === 'send' && effect.message.body.type !== 'Status'
        ? [[Number.parseInt(effect.to.slice(0, 2), 16) - 1, effect.message.body] satisfies [number, RaftBody]]
        : [],
    );
  }

  /** Leads in `term`, with its opening entry sent and durable here. */
  lead(): RaftEpoch {
    this.nowMs += ELECTION_MS * 2;
    this.input({ type: 'tick' });
    for (let round = 0; round < 2; round += 1) {
      for (const [to, body] of Harness.sent(this.run())) {
        if (body.type === 'VoteRequest') {
          this.receive(to, {
            type: 'VoteResponse',
            epoch: body.epoch,
            pre: body.pre,
            term: body.epoch.term - (body.pre ? 1 : 0),
            verdict: { type: 'Granted' },
          });
        }
      }
    }
    this.run();
    const { epoch, role } = this.state;
    if (role !== 'leader' || !epoch) throw new Error(`is ${role}, not leader`);
    return epoch;
  }

  /** Follower `from` acknowledges everything up to `match`. */
  ack(from: number, match: number, round = 0): Effect[] {
    const { epoch, term } = this.state;
    if (!epoch) throw new Error('follows nobody');
    this.receive(from, { type: 'Appended', epoch, term, match, round, reject: undefined });
    return this.run();
  }
}

const NOISE = new Set<Effect['type']>(['log', 'count', 'state-changed', 'turn-again']);

export function opening(size: number, forced = false): LogEntry {
  return {
    type: 'Opening',
    forced,
    members: Array.from({ length: size }, (_, i) => member(i)),
    learners: [],
  };
}

export function proposeTo(h: Harness, first: number, text: string): void {
  h.input(propose(first, [[encode(text)]]));
}

export function transfer(h: Harness, to?: number): void {
  const what = { type: 'Transfer' as const, to: to === undefined ? undefined : id(to) };
  h.input({ type: 'request', request: 1, what });
}

/** A heartbeat of `from`, which leads `term`, about the log of `following`. */
export const heartbeat = (term: number, from: number): RaftBody => ({
  type: 'Append',
  epoch: epochOf(term, from),
  side: undefined,
  prev: { epoch: epochOf(1, 1), index: 2 },
  entries: [],
  commit: 0,
  round: 0,
  durable: 0,
});

/** A follower of member 1, which leads term 1 up to index 2. */
export function following(): Harness {
  const h = new Harness({
    term: 1,
    log: [{ epoch: epochOf(1, 1), entries: [opening(3), command('a')] }],
  });
  h.receive(1, heartbeat(1, 1));
  h.run();
  return h;
}

/** An opening and a command of term 1. */
export const old = [{ epoch: epochOf(1, 1), entries: [opening(3), command('a')] }];
/** What the leader `from` appends in `term` after `prev`: a command for each text. */
export const append = (
  term: number,
  from: number,
  prev: { epoch: ReturnType<typeof epochOf>; index: number } | undefined,
  texts: string[],
  extra: object = {},
) =>
  ({
    type: 'Append',
    epoch: epochOf(term, from),
    side: undefined,
    prev,
    entries: texts.length === 0 ? [] : [{ epoch: epochOf(term, from), entries: texts.map(command) }],
    commit: 0,
    round: 0,
    durable: 0,
    ...extra,
  }) as never;
