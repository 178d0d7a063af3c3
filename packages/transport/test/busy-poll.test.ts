import { VirtualClock } from '@mosaik/wire/testing';
import { describe, expect, it } from 'vitest';
import { type AnswerWatch, BusyPoll, createAnswerWatch, parseBusyPoll } from '../src/shared/busy-poll.ts';
import { SpareCores } from '../src/shared/spare-cores.ts';

/** A poll on virtual time whose loop turns when told to. */
class Loop {
  readonly clock = new VirtualClock();
  readonly poll: BusyPoll;
  #next: (() => void) | undefined;

  constructor(windowMs: number, spare = () => true) {
    this.poll = new BusyPoll({
      clock: this.clock,
      windowMs,
      spareCores: { spare },
      again: (look) => {
        this.#next = look;
      },
    });
  }

  get awake(): boolean {
    return this.#next !== undefined;
  }

  turn(): void {
    const look = this.#next;
    this.#next = undefined;
    look?.();
  }

  /** Whether a message to this peer is waited for; if so, in vain. */
  async miss(watch: AnswerWatch): Promise<boolean> {
    this.poll.handleSent(watch);
    if (!this.awake) return false;
    await this.clock.advance(10);
    this.turn();
    expect(this.awake).toBe(false);
    return true;
  }
}

describe('busy polling', () => {
  it('stays awake for the window after a message, then sleeps', async () => {
    const loop = new Loop(2);
    expect(loop.awake).toBe(false);
    loop.poll.handleSent(createAnswerWatch());
    loop.turn();
    await loop.clock.advance(1);
    loop.turn();
    expect(loop.awake).toBe(true);
    await loop.clock.advance(1);
    loop.turn();
    expect(loop.awake).toBe(false);
  });

  it('sleeps once everyone who was asked has answered', () => {
    const loop = new Loop(2);
    const [a, b] = [createAnswerWatch(), createAnswerWatch()];
    loop.poll.handleSent(a);
    loop.poll.handleSent(b);
    loop.poll.handleArrived(a);
    loop.turn();
    expect(loop.awake).toBe(true);
    loop.poll.handleArrived(b);
    loop.turn();
    expect(loop.awake).toBe(false);
  });

  it('waits more and more rarely for a peer that answers late, at least once in 128 messages', async () => {
    const loop = new Loop(2);
    const watch = createAnswerWatch();
    const waited: number[] = [];
    for (let i = 0; i < 600; i += 1) if (await loop.miss(watch)) waited.push(i);
    expect(waited).toEqual([0, 2, 6, 14, 30, 62, 126, 254, 382, 510]);
  });

  it('waits for a peer again that has begun to answer at once', async () => {
    const loop = new Loop(2);
    const watch = createAnswerWatch();
    for (let i = 0; i < 600; i += 1) await loop.miss(watch);
    let sent = 0;
    for (let answered = 0; answered < 20; sent += 1) {
      loop.poll.handleSent(watch);
      if (!loop.awake) continue;
      loop.poll.handleArrived(watch);
      loop.turn();
      answered += 1;
    }
    expect(sent).toBeLessThan(150);
  });

  it('never stays awake where the window is 0, or no core is to spare', () => {
    for (const loop of [new Loop(0), new Loop(2, () => false)]) {
      loop.poll.handleSent(createAnswerWatch());
      expect(loop.awake).toBe(false);
    }
  });

  it('sleeps even when its clock stands still', () => {
    const loop = new Loop(2);
    loop.poll.handleSent(createAnswerWatch());
    for (let i = 0; i < 1000; i += 1) loop.turn();
    expect(loop.awake).toBe(false);
  });

  it.each([-1, 11, Number.NaN])('refuses busyPollMs %d', (value) => {
    expect(() => parseBusyPoll(value)).toThrow(/busyPollMs: expected a number from 0 to 10/);
  });
});

describe('spare cores', () => {
  it('there are some while no more threads want to run than there are cores', () => {
    expect(new SpareCores(2, () => 2).spare(0)).toBe(true);
    expect(new SpareCores(2, () => 3).spare(0)).toBe(false);
    expect(new SpareCores(2, () => undefined).spare(0)).toBe(false);
  });

  it('looks once in 5 ms, on a busy host more rarely, up to once in 100 ms', () => {
    let running = 1;
    let looks: number[] = [];
    let nowMs = 0;
    const cores = new SpareCores(2, () => {
      looks.push(nowMs);
      return running;
    });
    for (; nowMs < 20; nowMs += 1) cores.spare(nowMs);
    expect(looks).toEqual([0, 5, 10, 15]);
    running = 3;
    looks = [];
    for (; nowMs < 500; nowMs += 1) cores.spare(nowMs);
    expect(looks.map((at) => at - 20)).toEqual([0, 5, 15, 35, 75, 155, 255, 355, 455]);
    running = 1;
    looks = [];
    for (; nowMs < 700; nowMs += 1) cores.spare(nowMs);
    expect(looks.length).toBeGreaterThan(20);
  });

  it('takes a moment when more wants to run for one', () => {
    let looks = 0;
    const cores = new SpareCores(2, () => {
      looks += 1;
      return looks % 10 === 0 ? 4 : 2;
    });
    let spareMs = 0;
    for (let nowMs = 0; nowMs < 1000; nowMs += 1) if (cores.spare(nowMs)) spareMs += 1;
    expect(spareMs).toBeGreaterThan(850);
  });

  it('knows how many threads of this host want to run, on Linux', () => {
    // More cores than a host has threads: whatever it counts is fewer.
    expect(new SpareCores(1_000_000).spare(0)).toBe(process.platform === 'linux');
  });
});
