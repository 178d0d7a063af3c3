import { type ConsensusOptions, consensus } from '@mosaik/raft';
import type { PeerId, RaftMessage } from '@mosaik/wire';
import { seededRng } from '@mosaik/wire/testing';
import { DEFAULT_LIMITS } from '../../src/core/config.ts';
import type { Effect } from '../../src/core/effect.ts';
import type { Input } from '../../src/core/input.ts';
import { isCommand } from '../../src/core/log.ts';
import { RaftCore } from '../../src/core/raft-core.ts';
import { ELECTION_MS, type Given, HEARTBEAT_MS, id, incarnationOf, propose } from '../core/harness.ts';
import { describeBody, describeEntry, describeEpoch, nameOf } from './describe-message.ts';

interface Actor {
  readonly core: RaftCore;
  readonly bonds: Set<number>;
}

/**
 * A few cores, and every message between them in the order in which it was sent, as text. Nothing is random: messages
 * are delivered one by one, writes are durable at once, and a member's timers run only when it is told to `wait`.
 */
export class Stage {
  readonly lines: string[] = [];
  readonly #actors: Actor[] = [];
  readonly #queue: { from: number; to: number; message: RaftMessage }[] = [];
  #nowMs = 0;
  #nextCall = 1;
  #quiet = false;
  /** Messages of other kinds are delivered and not written down. */
  #only: ((type: string) => boolean) | undefined;

  constructor(size: number, given: (index: number) => Given = () => ({})) {
    const voters = Array.from({ length: size }, (_, i) => id(i));
    const options: ConsensusOptions = {
      heartbeatIntervalMs: HEARTBEAT_MS,
      heartbeatJitterMs: 0,
      electionTimeoutMs: ELECTION_MS,
      electionTimeoutJitterMs: 1,
      bootstrapDelayMs: 0,
    };
    for (let index = 0; index < size; index += 1) {
      const { mode = 'voters', term = 0, vote, log = [] } = given(index);
      const quorum = mode === 'voters' ? { voters } : 'dynamic';
      const core = new RaftCore({
        config: {
          localId: id(index),
          consensus: consensus({ ...options, quorum }),
          observer: false,
          reluctance: 1,
          limits: DEFAULT_LIMITS,
        },
        rng: seededRng(index + 1),
        stored: {
          hardState: { incarnation: incarnationOf(index), term, ...(vote ? { vote } : {}) },
          base: 0,
          runs: log,
        },
        nowMs: 0,
      });
      this.#actors.push({ core, bonds: new Set() });
    }
  }

  core(index: number): RaftCore {
    return this.#actor(index).core;
  }

  /** Only these kinds of messages are written down from now on. */
  only(...types: string[]): this {
    this.#only = (type) => types.includes(type);
    return this;
  }

  except(...types: string[]): this {
    this.#only = (type) => !types.includes(type);
    return this;
  }

  /** A heading, or a remark. */
  say(text: string): this {
    this.lines.push(`# ${text}`);
    return this;
  }

  /** What leads up to the exchange is not part of it. */
  unseen(run: () => void): this {
    this.#quiet = true;
    run();
    this.#quiet = false;
    return this;
  }

  bond(...pairs: (readonly [number, number])[]): this {
    for (const [a, b] of pairs) {
      this.#actor(a).bonds.add(b);
      this.#actor(b).bonds.add(a);
      for (const [one, other] of [
        [a, b],
        [b, a],
      ] as const) {
        const { incarnation } = this.core(other).state;
        this.input(one, { type: 'bond-up', peer: id(other), incarnation });
      }
    }
    return this.deliver();
  }

  bondAll(): this {
    const pairs: (readonly [number, number])[] = [];
    for (let a = 0; a < this.#actors.length; a += 1)
      for (let b = a + 1; b < this.#actors.length; b += 1) pairs.push([a, b]);
    return this.bond(...pairs);
  }

  part(a: number, b: number): this {
    this.#actor(a).bonds.delete(b);
    this.#actor(b).bonds.delete(a);
    this.input(a, { type: 'bond-down', peer: id(b), departed: false });
    this.input(b, { type: 'bond-down', peer: id(a), departed: false });
    return this.deliver();
  }

  /** Time passes, and only these members notice. */
  wait(ms: number, ...members: number[]): this {
    this.#nowMs += ms;
    for (const member of members) this.input(member, { type: 'tick' });
    return this.deliver();
  }

  /** Time passes for everybody, a heartbeat at a time. */
  pass(ms: number): this {
    for (let left = ms; left > 0; left -= HEARTBEAT_MS) this.wait(HEARTBEAT_MS, ...this.#actors.keys());
    return this;
  }

  propose(member: number, ...commands: string[]): this {
    const proposals = commands.map((text) => [new TextEncoder().encode(text)]);
    this.input(member, propose(this.#nextCall, proposals));
    this.#nextCall += commands.length;
    return this.deliver();
  }

  read(member: number): this {
    this.input(member, { type: 'read', first: this.#nextCall, count: 1 });
    this.#nextCall += 1;
    return this.deliver();
  }

  request(member: number, what: Extract<Input, { type: 'request' }>['what']): this {
    this.input(member, { type: 'request', request: this.#nextCall, what });
    this.#nextCall += 1;
    return this.deliver();
  }

  input(member: number, input: Input): void {
    this.core(member).handle(input, this.#nowMs);
    this.#drain(member);
  }

  /** One message after the other, until none is left. */
  deliver(): this {
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
      if (this.#actor(next.to).bonds.has(next.from))
        this.input(next.to, { type: 'message', from: id(next.from), message: next.message });
    }
    return this;
  }

  get text(): string {
    return `${this.lines.join('\n')}\n`;
  }

  #actor(index: number): Actor {
    const actor = this.#actors[index];
    if (!actor) throw new RangeError(`there is no n${index}`);
    return actor;
  }

  #drain(member: number): void {
    const { core } = this.#actor(member);
    for (let continued = false; ; continued = true) {
      const effects = core.drain(this.#nowMs, continued);
      if (effects.length === 0) return;
      for (const effect of effects) this.#execute(member, effect);
      if (effects.some(({ type }) => type === 'turn-again')) {
        // The next turn is at once: nothing else is going on here.
        continued = false;
      }
    }
  }

  #execute(member: number, effect: Effect): void {
    switch (effect.type) {
      case 'persist':
        this.core(member).handle({ type: 'persisted', seq: effect.seq }, this.#nowMs);
        return;
      case 'send': {
        const to = Number.parseInt(effect.to.slice(0, 2), 16) - 1;
        if (!this.#actor(member).bonds.has(to)) return;
        this.#queue.push({ from: member, to, message: effect.message });
        if (this.#only?.(effect.message.body.type) ?? true)
          this.#write(`n${member} → n${to}  ${describeBody(effect.message.body)}`);
        return;
      }
      case 'apply':
        this.#write(`n${member} applies up to ${effect.to}`);
        return;
      case 'accepted':
        this.#write(`n${member} has ${effect.count} from ${effect.index} of ${describeEpoch(effect.epoch)}`);
        return;
      case 'refused':
        this.#write(`n${member} is refused: ${effect.reason}`);
        return;
      case 'read-ready':
        this.#write(`n${member} answers its read`);
        return;
      case 'read-refused':
        this.#write(`n${member}'s read is refused: ${effect.reason}`);
        return;
      case 'request-done':
        this.#write(`n${member}'s request is done`);
        return;
      case 'revert': {
        const lost = effect.lost.flatMap(({ entries }) => entries).filter(isCommand);
        this.#write(
          `n${member} goes back to ${effect.to} and gives up ${lost.map(describeEntry).join(', ') || 'nothing'}`,
        );
        return;
      }
      case 'log':
        if (effect.text === 'leads' || effect.text === 'leads by a forced epoch')
          this.#write(`n${member} ${effect.text}`);
    }
  }

  #write(line: string): void {
    if (!this.#quiet) this.lines.push(line);
  }
}

export const peerOf = (index: number): PeerId => id(index);
export { nameOf };
