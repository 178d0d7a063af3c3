import { percentile } from './bench.ts';

/** One command, told its number; resolves when it is done. */
export type Command = (i: number) => Promise<unknown>;

export interface Latency {
  p50Ms: number;
  p99Ms: number;
}

/** One command after the other, after as many to warm up. */
export async function sequential(execute: Command, count: number): Promise<Latency> {
  for (let i = 0; i < count; i += 1) await execute(i);
  const times = new Float64Array(count);
  for (let i = 0; i < count; i += 1) {
    const startedMs = performance.now();
    await execute(i);
    times[i] = performance.now() - startedMs;
  }
  times.sort();
  return { p50Ms: percentile(times, 0.5), p99Ms: percentile(times, 0.99) };
}

/** Commands per second with `width` of them in flight, after an eighth as many to warm up. */
export async function throughput(execute: Command, width: number, count: number): Promise<number> {
  await pump(execute, width, Math.ceil(count / 8));
  const startedMs = performance.now();
  await pump(execute, width, count);
  return (count * 1000) / (performance.now() - startedMs);
}

export interface Part {
  /** Processor time of this process. */
  perCommandUs: number;
  rssBytes: number;
}

const WARM_UP = 200_000;

/** So many commands in four parts, after some to warm up. */
export async function quarters(execute: Command, width: number, count: number): Promise<Part[]> {
  await pump(execute, width, Math.min(count, WARM_UP));
  const parts: Part[] = [];
  for (let part = 0; part < 4; part += 1) {
    const before = process.cpuUsage();
    await pump(execute, width, count / 4);
    const { user, system } = process.cpuUsage(before);
    parts.push({ perCommandUs: (user + system) / (count / 4), rssBytes: process.memoryUsage.rss() });
  }
  return parts;
}

async function pump(execute: Command, width: number, count: number): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) {
      const i = next;
      next += 1;
      await execute(i);
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
}

/** Nanoseconds of a clock that all processes of the machine share. */
export function monotonicNs(): number {
  return Number(process.hrtime.bigint());
}

export interface Outage {
  /** From the moment given to the end of the first write that began after it. */
  nextMs: number;
  /** Longest time between two writes that succeeded, from shortly before that moment on. */
  pauseMs: number;
}

const PROBE_INTERVAL_MS = 2;
/** Code that has hardly run is slow, and nobody's group is that young when a member of it goes. */
const PROBES_BEFORE = 500;
const OBSERVE_MS = 1000;
const GIVE_UP_MS = 20_000;

/**
 * Begins a write every few milliseconds without waiting for the one before, so that one which is stuck hides nothing.
 * `begun` resolves after many successes; then `since` is told when the fault was made, and gives what followed.
 */
export function probe(execute: Command): { begun: Promise<void>; since(atNs: number): Promise<Outage> } {
  const done: { fromNs: number; toNs: number }[] = [];
  let waiting = 0;
  let i = 0;
  let wake = () => {};
  const begun = new Promise<void>((resolve) => {
    wake = resolve;
  });
  const timer = setInterval(() => {
    if (waiting > 4096) return;
    waiting += 1;
    const fromNs = monotonicNs();
    execute(i++).then(
      () => {
        waiting -= 1;
        done.push({ fromNs, toNs: monotonicNs() });
        if (done.length === PROBES_BEFORE) wake();
      },
      () => {
        waiting -= 1;
      },
    );
  }, PROBE_INTERVAL_MS);
  return {
    begun,
    async since(atNs) {
      const next = () => done.find(({ fromNs }) => fromNs > atNs);
      const deadlineNs = atNs + GIVE_UP_MS * 1e6;
      while (!next() || monotonicNs() < atNs + OBSERVE_MS * 1e6) {
        if (monotonicNs() > deadlineNs) throw new Error(`no write succeeded in ${GIVE_UP_MS} ms`);
        await new Promise<void>((resolve) => setTimeout(resolve, PROBE_INTERVAL_MS));
      }
      clearInterval(timer);
      const successes = done.map(({ toNs }) => toNs).sort((a, b) => a - b);
      const first = Math.max(
        0,
        successes.findLastIndex((toNs) => toNs <= atNs),
      );
      let pauseNs = 0;
      for (let k = first + 1; k < successes.length; k += 1)
        pauseNs = Math.max(pauseNs, (successes[k] ?? 0) - (successes[k - 1] ?? 0));
      return { nextMs: ((next()?.toNs ?? Number.NaN) - atNs) / 1e6, pauseMs: pauseNs / 1e6 };
    },
  };
}
