import type { Rng } from '@mosaik/wire/runtime';
import type { History } from './history.ts';
import type { Member } from './member.ts';

const KEYS = 6;

/** Clients that write and read strongly at random members, one call at a time each, until told to stop. */
export class Clients {
  readonly #members: readonly Member[];
  readonly #history: History;
  readonly #rng: Rng;
  readonly #name: string;
  readonly #lanes: Promise<void>[] = [];
  #stopped = false;
  #next = 1;

  constructor(name: string, members: readonly Member[], history: History, rng: Rng) {
    this.#name = name;
    this.#members = members;
    this.#history = history;
    this.#rng = rng;
  }

  start(count: number): void {
    for (let i = 0; i < count; i += 1) this.#lanes.push(this.#run());
  }

  /** Resolves when every call has been answered, or never will be. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#lanes);
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const member = this.#members[this.#int(this.#members.length)];
      const key = `key-${this.#int(KEYS)}`;
      const answered =
        this.#rng.float() < 0.6 ? await this.#write(member, key) : await this.#read(member, key);
      // Who finds nobody tries again a little later; so do those who have an answer, lest one core is all theirs.
      await new Promise((resolve) => setTimeout(resolve, answered ? 2 : 25));
    }
  }

  async #write(member: Member | undefined, key: string): Promise<boolean> {
    const id = `${this.#name}-${this.#next}`;
    this.#next += 1;
    const startedMs = performance.now();
    const answer = await member?.ask({ type: 'write', key, id });
    const outcome =
      answer?.index !== undefined
        ? 'acknowledged'
        : answer?.error === undefined || answer.error === 'unknown-outcome'
          ? 'unknown'
          : 'refused';
    const index = answer?.index ?? 0;
    this.#history.writes.push({
      type: 'write',
      key,
      id,
      startedMs,
      endedMs: performance.now(),
      outcome,
      index,
    });
    return outcome === 'acknowledged';
  }

  async #read(member: Member | undefined, key: string): Promise<boolean> {
    const startedMs = performance.now();
    const answer = await member?.ask({ type: 'read', key });
    if (!answer?.entries) return false;
    this.#history.reads.push({
      type: 'read',
      key,
      startedMs,
      endedMs: performance.now(),
      entry: answer.entries[0],
    });
    return true;
  }

  #int(below: number): number {
    return Math.floor(this.#rng.float() * below);
  }
}
