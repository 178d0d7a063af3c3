import { seededRng } from '@mosaik/wire/testing';
import { describe, expect, test } from 'vitest';
import { keyValue } from '../src/machines/key-value.ts';
import { PagedValues } from '../src/machines/paged-values.ts';

const filled = (length: number, byte: number) => new Uint8Array(length).fill(byte);
const textOf = (value: Uint8Array) => Buffer.from(value).toString('latin1');
/** Of all memory that values keep. */
const keptBytes = (values: PagedValues) => {
  const buffers = new Set([...values.values()].map(({ value }) => value.buffer));
  return [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0);
};

describe('values in pages', () => {
  test('are what a map has, in its order, whatever is set, replaced, deleted and cleaned', () => {
    const seed = Number(process.env.SIM_SEED ?? 1);
    const rng = seededRng(seed);
    const int = (below: number) => Math.floor(rng.float() * below);
    const values = new PagedValues();
    const model = new Map<string, { value: Uint8Array; index: number }>();
    const sizes = [0, 1, 88, 300, 1023, 1024, 1025, 5000];
    for (let index = 1; index <= 60_000; index += 1) {
      const key = `${int(rng.float() < 0.5 ? 50 : 3000)}`;
      if (rng.float() < 0.2) {
        values.delete(key);
        model.delete(key);
      } else {
        const value = filled(sizes[int(sizes.length)] as number, int(256));
        values.set(key, value, index);
        model.set(key, { value: value.slice(), index });
        // The caller's again.
        value.fill(0);
      }
      if (index % 20_000 > 0) continue;
      const expected = [...model].map(([key, { value, index }]) => [key, textOf(value), index]);
      const kept = [...values.values()].map(({ key, value, index }) => [key, textOf(value), index]);
      expect(kept, `SIM_SEED=${seed}`).toEqual(expected);
      expect(values.size).toBe(model.size);
    }
    values.clear();
    expect([...values.values()]).toEqual([]);
  });

  test('do not keep pages in which little is left', () => {
    const values = new PagedValues();
    let live = 0;
    for (let i = 0; i < 200_000; i += 1) {
      // One of 300 stays for ever, the others until the next one of 700.
      const stays = i % 300 === 0;
      values.set(stays ? `old ${i}` : `${i % 700}`, filled(88, i % 256), i);
      live += stays ? 88 : 0;
    }
    live += 700 * 88;
    expect(values.size * 88).toBeLessThanOrEqual(live);
    expect(keptBytes(values)).toBeLessThan(4 * live + (1 << 20) + 65_536);
    expect(values.get('old 300')?.value).toEqual(filled(88, 300 % 256));
  });

  test('nor when most are deleted', () => {
    const values = new PagedValues();
    const count = 100_000;
    for (let i = 0; i < count; i += 1) values.set(`${i}`, filled(88, 1), i);
    const before = keptBytes(values);
    for (let i = 0; i < count; i += 1) if (i % 400 > 0) values.delete(`${i}`);
    expect(values.size).toBe(count / 400);
    expect(keptBytes(values)).toBeLessThan(before / 4);
  });
});

test('what the key-value machine answers is the caller’s', () => {
  const machine = keyValue();
  const put = (key: string, byte: number) =>
    machine.apply({ type: 'Put', key, value: filled(8, byte), expected: undefined }, { index: 1 } as never);
  put('a', 1);
  put('b', 2);
  const get = () => machine.query({ type: 'Get', key: 'a' });
  const list = () => machine.query({ type: 'List', prefix: '', after: undefined, limit: 9 });
  const before = structuredClone([get(), list()]);
  for (const answer of [get(), list()]) {
    if (answer.type === 'Digest' || !answer.value) throw new Error('nothing is there');
    for (const { value } of [answer.value].flat()) {
      expect(value.buffer.byteLength).toBe(8);
      value.fill(9);
    }
  }
  expect([get(), list()]).toEqual(before);
});
