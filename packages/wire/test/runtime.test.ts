import { systemClock, systemRng, WatchCell } from '@mosaik/wire/runtime';
import { seededRng, settle, VirtualClock } from '@mosaik/wire/testing';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';

describe('WatchCell', () => {
  test('changed resolves with the first value set after the call', async () => {
    const cell = new WatchCell(1);
    const next = cell.changed();
    cell.set(2);
    cell.set(3);
    expect(await next).toBe(2);
    expect(cell.value).toBe(3);
  });

  test('an equal value tells nobody', () => {
    const cell = new WatchCell(Number.NaN);
    const listener = vi.fn();
    cell.subscribe(listener);
    cell.set(Number.NaN);
    expect(listener).not.toHaveBeenCalled();
  });

  test('an unsubscribed listener is not called, even one that another listener took away in the same set', () => {
    const cell = new WatchCell(0);
    const listener = vi.fn();
    const first = cell.subscribe(() => removeSecond());
    const removeSecond = cell.subscribe(listener);
    cell.set(1);
    expect(listener).not.toHaveBeenCalled();
    first();
  });

  test('closing keeps the value and rejects every wait, pending and later', async () => {
    const cell = new WatchCell(1);
    const pending = cell.changed();
    const reason = new Error('closed');
    cell.close(reason);
    cell.set(2);
    await expect(pending).rejects.toBe(reason);
    await expect(cell.changed()).rejects.toBe(reason);
    expect(cell.value).toBe(1);
  });

  test('aborting rejects with the reason of the signal and leaves no listener on it', async () => {
    const cell = new WatchCell(1);
    const controller = new AbortController();
    const removed = vi.spyOn(controller.signal, 'removeEventListener');
    const pending = cell.changed({ signal: controller.signal });
    controller.abort('enough');
    await expect(pending).rejects.toBe('enough');
    await expect(cell.changed({ signal: controller.signal })).rejects.toBe('enough');
    expect(removed).toHaveBeenCalled();
  });
});

describe('VirtualClock', () => {
  test('fires in order of due time, ties in the order they were set', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 20 })), (delays) => {
        const clock = new VirtualClock();
        const fired: [number, number][] = [];
        delays.forEach((delay, i) => {
          clock.schedule(delay, () => fired.push([clock.nowMs(), i]));
        });
        while (clock.fireNext());
        const expected = delays.map((delay, i) => [delay, i] as [number, number]);
        expect(fired).toEqual(expected.sort((a, b) => a[0] - b[0] || a[1] - b[1]));
      }),
    );
  });

  test('a cancelled timer does not fire, and is not due', () => {
    const clock = new VirtualClock();
    const callback = vi.fn();
    clock.schedule(1, callback).cancel();
    clock.schedule(5, () => {});
    expect(clock.nextDueMs()).toBe(5);
    while (clock.fireNext());
    expect(callback).not.toHaveBeenCalled();
  });

  test('advance settles promises between two timers, and ends exactly at its time', async () => {
    const clock = new VirtualClock();
    const seen: string[] = [];
    clock.schedule(1, () => void Promise.resolve().then(() => seen.push(`continuation at ${clock.nowMs()}`)));
    clock.schedule(2, () => seen.push('second'));
    clock.schedule(11, () => seen.push('late'));
    await clock.advance(10);
    expect(seen).toEqual(['continuation at 1', 'second']);
    expect(clock.nowMs()).toBe(10);
  });

  test('until stops as soon as the condition holds, and throws when time runs out', async () => {
    const clock = new VirtualClock();
    let ticks = 0;
    const tick = () => {
      ticks += 1;
      clock.schedule(10, tick);
    };
    tick();
    await clock.until(() => ticks === 3);
    expect(clock.nowMs()).toBe(20);
    await expect(clock.until(() => false, 100)).rejects.toThrow('100 virtual ms');
  });
});

describe('randomness', () => {
  test('one seed gives one sequence, another seed another', () => {
    const draw = (seed: number) => {
      const rng = seededRng(seed);
      return [rng.u64(), rng.float(), [...rng.bytes(5)]];
    };
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
  });

  test.each([
    ['seeded', seededRng(7)],
    ['of the system', systemRng],
  ])('%s: floats lie in [0, 1) on both sides of a half, u64 fills 64 bits', (_name, rng) => {
    const floats = Array.from({ length: 1000 }, () => rng.float());
    expect(floats.every((value) => value >= 0 && value < 1)).toBe(true);
    const high = floats.filter((value) => value >= 0.5).length;
    expect(high).toBeGreaterThan(350);
    expect(high).toBeLessThan(650);
    const ones = Array.from({ length: 64 }, () => rng.u64()).reduce((all, value) => all | value, 0n);
    expect(ones).toBe(2n ** 64n - 1n);
    expect(rng.bytes(33)).toHaveLength(33);
  });
});

test('a timer of the system clock never fires early', async () => {
  const early: number[] = [];
  const timers = Array.from({ length: 50 }, (_, i) => {
    const delayMs = 1 + i / 7;
    const dueMs = systemClock.nowMs() + delayMs;
    return new Promise<void>((resolve) =>
      systemClock.schedule(delayMs, () => {
        if (systemClock.nowMs() < dueMs) early.push(delayMs);
        resolve();
      }),
    );
  });
  await Promise.all(timers);
  expect(early).toEqual([]);
});

test('a cancelled timer of the system clock does not fire', async () => {
  const fired: string[] = [];
  systemClock.schedule(0, () => fired.push('cancelled')).cancel();
  await new Promise<void>((resolve) => systemClock.schedule(1, resolve));
  await settle();
  expect(fired).toEqual([]);
});
