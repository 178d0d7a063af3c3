import { type ConsensusConfig, type PeerId, RaftMessage } from '@mosaik/wire';
import { type Clock, type Rng, systemClock } from '@mosaik/wire/runtime';
import { consensus } from './consensus.ts';
import { DEFAULT_LIMITS } from './core/config.ts';
import type { Effect } from './core/effect.ts';
import type { Input } from './core/input.ts';
import { RaftCore } from './core/raft-core.ts';

const IDS = [1, 2, 3].map((n) => `0${n}`.repeat(32) as PeerId);
const INCARNATION = 1n;
/** Every member leads and follows often enough for what it runs then to be compiled. */
const HANDOVERS = 30;
/** Far more than it takes: nothing here may keep a process from starting. */
const MAX_TURNS = 100;
const COMMAND = new Uint8Array(32);

let rehearsed = false;

/**
 * Lets three cores in memory hand leadership to each other, a millisecond or so at a time, once in a process: what a
 * member runs first when it has to take over would otherwise be compiled just then, which a handover of a few
 * milliseconds takes half as long again for. `mode` is that of the process's first group. Only by the clock of this
 * machine: virtual time has no such cost.
 */
export function rehearse(clock: Clock, mode: QuorumMode): void {
  if (rehearsed || clock !== systemClock) return;
  rehearsed = true;
  let group: Rehearsal | undefined;
  let left = HANDOVERS;
  const step = () => {
    try {
      group ??= new Rehearsal(mode);
      group.handOver();
    } catch {
      // Without it the first handover is slower, no more.
      return;
    }
    left -= 1;
    if (left > 0) clock.schedule(1, step);
  };
  clock.schedule(1, step);
}

type QuorumMode = ConsensusConfig['quorum']['type'];

/** Three members on virtual time that stands still, and a network that loses nothing. */
export class Rehearsal {
  readonly #cores: readonly RaftCore[];
  #nowMs = 0;
  #number = 0;

  constructor(mode: QuorumMode) {
    let drawn = 0n;
    const rng: Rng = {
      float: () => 0.5,
      u64: () => {
        drawn += 1n;
        return drawn;
      },
      bytes: (length) => new Uint8Array(length),
    };
    this.#cores = IDS.map(
      (localId) =>
        new RaftCore({
          config: {
            localId,
            consensus: consensus({ quorum: mode === 'Dynamic' ? 'dynamic' : { voters: IDS } }),
            observer: false,
            reluctance: 1,
            durableAtOnce: true,
            limits: DEFAULT_LIMITS,
          },
          rng,
          stored: { hardState: { incarnation: INCARNATION, term: 0 }, base: 0, runs: [] },
          nowMs: this.#nowMs,
        }),
    );
    for (const core of this.#cores)
      for (const peer of IDS) core.handle({ type: 'bond-up', peer, incarnation: INCARNATION }, this.#nowMs);
    this.#settle();
    const [first] = this.#cores;
    for (let turn = 0; turn < MAX_TURNS && !this.#full; turn += 1) {
      this.#nowMs = Math.max(this.#nowMs, first?.nextDeadlineMs() ?? 0);
      first?.handle({ type: 'tick' }, this.#nowMs);
      this.#settle();
    }
  }

  get leader(): RaftCore | undefined {
    return this.#cores.find((core) => core.state.role === 'leader');
  }

  get #full(): boolean {
    return this.leader?.state.log.members.length === IDS.length;
  }

  /** Every member has a command, then the leader hands over while the others have one more. */
  handOver(): void {
    this.#inputAll(() => this.#propose());
    this.#settle();
    this.#inputAll((core) => {
      this.#number += 1;
      return core === this.leader
        ? { type: 'request', request: this.#number, what: { type: 'Transfer', to: undefined } }
        : this.#propose();
    });
    this.#settle();
    this.#nowMs += 1;
  }

  #propose(): Input {
    this.#number += 1;
    return {
      type: 'propose',
      batch: { session: 0, first: this.#number, ackedBelow: 0, keys: [], proposals: [[COMMAND]] },
    };
  }

  #inputAll(inputFor: (core: RaftCore) => Input): void {
    for (const core of this.#cores) core.handle(inputFor(core), this.#nowMs);
  }

  /** Turns of all until nobody has anything to say. */
  #settle(): void {
    let quiet = false;
    for (let turn = 0; turn < MAX_TURNS && !quiet; turn += 1) {
      quiet = true;
      for (const core of this.#cores) {
        for (const effect of core.drain(this.#nowMs)) {
          if (effect.type !== 'send') continue;
          quiet = false;
          this.#deliver(core.state.localId, effect);
        }
      }
    }
  }

  #deliver(from: PeerId, { to, message }: Extract<Effect, { type: 'send' }>): void {
    const target = this.#cores[IDS.indexOf(to)];
    const arrived = RaftMessage.decode(RaftMessage.encode(message));
    target?.handle({ type: 'message', from, message: arrived }, this.#nowMs);
  }
}
