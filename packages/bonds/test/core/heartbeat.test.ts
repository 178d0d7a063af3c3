import { seededRng } from '@mosaik/wire/testing';
import { describe, expect, it } from 'vitest';
import { Heartbeat } from '../../src/core/heartbeat.ts';

const rng = { ...seededRng(1), float: () => 0 };
const init = { intervalMs: 500, jitterMs: 150, maxMissed: 3, rng };

/** Ticks at every deadline up to `untilMs`, and gives what each asked for. */
function ticks(heartbeat: Heartbeat, untilMs: number): { atMs: number; ping: boolean; dead: boolean }[] {
  const verdicts = [];
  while (heartbeat.nextDeadlineMs() <= untilMs) {
    const atMs = heartbeat.nextDeadlineMs();
    verdicts.push({ atMs, ...heartbeat.handleTick(atMs) });
  }
  return verdicts;
}

describe('a heartbeat (bonds: Heartbeat mechanism)', () => {
  it('ticks between base − jitter and base', () => {
    const random = seededRng(7);
    const heartbeat = new Heartbeat({ ...init, maxMissed: 1e9, rng: random }, 0);
    const times = [0, ...ticks(heartbeat, 100_000).map(({ atMs }) => atMs)];
    const gaps = times.slice(1).map((time, i) => time - (times[i] ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(350);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(500);
    expect(Math.max(...gaps) - Math.min(...gaps)).toBeGreaterThan(100);
  });

  it('counts ticks with nothing received for longer than interval + jitter, and is dead at the threshold', () => {
    const heartbeat = new Heartbeat(init, 0);
    expect(ticks(heartbeat, 2500).map(({ dead }) => dead)).toEqual([false, false, false, true, true]);
  });

  it('is reset by anything received', () => {
    const heartbeat = new Heartbeat(init, 0);
    ticks(heartbeat, 1500);
    expect(heartbeat.missed).toBe(2);
    heartbeat.handleReceived(1600);
    expect(heartbeat.missed).toBe(0);
    expect(ticks(heartbeat, 3500).map(({ dead }) => dead)).toEqual([false, false, false, true]);
  });

  it('pings only when nothing was written since the tick before', () => {
    const heartbeat = new Heartbeat(init, 0);
    expect(ticks(heartbeat, 1000).map(({ ping }) => ping)).toEqual([true, true]);
    heartbeat.handleWritten(1200);
    expect(ticks(heartbeat, 2000).map(({ ping }) => ping)).toEqual([false, true]);
  });

  it('does not count a tick that fires late by more than two intervals before input was drained', () => {
    const heartbeat = new Heartbeat({ ...init, maxMissed: 1 }, 0);
    expect(heartbeat.handleTick(5000)).toEqual({ ping: false, dead: false });
    // Due again at once: whoever drives it reads what arrived meanwhile first.
    expect(heartbeat.nextDeadlineMs()).toBe(5000);
    heartbeat.handleReceived(5000);
    expect(heartbeat.handleTick(5000).dead).toBe(false);

    const silent = new Heartbeat({ ...init, maxMissed: 1 }, 0);
    silent.handleTick(5000);
    expect(silent.handleTick(5000).dead).toBe(true);
  });

  it('does nothing before base − jitter, and ticks from then on when it is asked', () => {
    const heartbeat = new Heartbeat(init, 0);
    expect(heartbeat.handleTick(349)).toEqual({ ping: false, dead: false });
    expect(heartbeat.handleTick(350)).toEqual({ ping: true, dead: false });
    expect(heartbeat.nextDeadlineMs()).toBe(850);
  });

  it('keeps the pace of one that others go along with, and no other, whatever the jitter', () => {
    for (const jitterMs of [0, 150, 499]) {
      const random = seededRng(3);
      const all = Array.from({ length: 24 }, () => new Heartbeat({ ...init, jitterMs, rng: random }, 0));
      for (let nowMs = 0; nowMs < 60_000; ) {
        nowMs = Math.min(...all.map((heartbeat) => heartbeat.nextDeadlineMs()));
        for (const heartbeat of all) heartbeat.handleTick(nowMs);
      }
      for (const { missed } of all) {
        expect(missed).toBeLessThan((1.2 * 60_000) / (500 - jitterMs / 2));
        expect(missed).toBeGreaterThan((0.8 * 60_000) / 500);
      }
    }
  });
});
