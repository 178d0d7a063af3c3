import { readFileSync } from 'node:fs';
import * as wire from '@mosaik/wire';
import { Alpn, CloseCode, describeCloseCode } from '@mosaik/wire';
import { describe, expect, test } from 'vitest';
import { refusal } from './refusal.ts';
import { vectors } from './vectors.ts';

const page = readFileSync(new URL('../PROTOCOL.md', import.meta.url), 'utf8');

/** The cells of the table under the row that starts with `header`. */
function table(header: string): string[][] {
  const lines = page.split('\n');
  const start = lines.findIndex((line) => line.startsWith(`| ${header} `));
  if (start < 0) throw new Error(`no table "${header}"`);
  const rows: string[][] = [];
  for (const line of lines.slice(start + 2)) {
    if (!line.startsWith('|')) break;
    rows.push(
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  }
  return rows;
}

/** The words in backticks. */
function quoted(text: string | undefined): string[] {
  return [...(text ?? '').matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? '');
}

describe('PROTOCOL.md says what the code does', () => {
  test('close codes', () => {
    const rows = table('code').map(([code, name]) => [name, Number(code)]);
    expect(rows).toEqual(Object.entries(CloseCode));
  });

  test('ALPNs', () => {
    expect(table('ALPN').flatMap(([alpn]) => quoted(alpn))).toEqual(Object.values(Alpn));
  });

  test('the fields of messages', () => {
    const rows = [...table('message'), ...table('snapshot')].map(
      ([name, list]) => [quoted(name)[0] ?? '', quoted(list)] as const,
    );
    for (const [name, fields] of rows) {
      const [{ value } = { value: {} }] = vectors.filter(({ schema }) => schema === name);
      expect([name, fields]).toEqual([name, Object.keys(value as object)]);
    }
    expect(rows.map(([name]) => name)).toEqual(['HandshakeStart', 'HandshakeEnd', 'SnapshotEnvelope']);
  });

  test.each([
    ['number', 'BondMessage'],
    ['body', 'RaftMessage'],
    ['entry', 'LogEntry'],
    ['request', 'RaftRequest'],
  ])('the variants, their numbers and fields: %s', (header, schema) => {
    const rows = new Map<number, unknown>();
    // In a RaftMessage of incarnation 0 the variant is the second byte.
    const at = schema === 'RaftMessage' ? 1 : 0;
    for (const { bytes, value } of vectors.filter((vector) => vector.schema === schema)) {
      if (at === 1 && bytes[0] !== 0) continue;
      const { type, ...fields } = (at === 1 ? (value as { body: object }).body : value) as { type: string };
      const names = schema === 'BondMessage' ? [] : [Object.keys(fields)];
      rows.set(bytes[at] ?? -1, [bytes[at], type, ...names]);
    }
    const page = table(header).map(([number, type, fields]) =>
      schema === 'BondMessage' ? [Number(number), type] : [Number(number), type, quoted(fields)],
    );
    expect(page).toEqual([...rows.entries()].sort(([a], [b]) => a - b).map(([, row]) => row));
  });

  test('the variants of enums without fields, in the order of their numbers', () => {
    const rows = table('enum').map(([name, list]) => [quoted(name)[0] ?? '', quoted(list)] as const);
    expect(rows.map(([name]) => name)).toEqual(['verdict', 'reason']);
    for (const [name, variants] of rows) {
      const seen = new Map<number, string>();
      for (const { schema, bytes, value } of vectors) {
        if (schema !== 'RaftMessage') continue;
        // The last field of its message, and so the last byte.
        const found = (value as { body: Record<string, { type: string }> }).body[name];
        if (found) seen.set(bytes.at(-1) ?? -1, found.type);
      }
      expect([...seen].sort(([a], [b]) => a - b)).toEqual([...variants.entries()]);
    }
  });

  test('the messages of discovery', () => {
    const names = Object.fromEntries(table('link').map(([link, list]) => [link, quoted(list)]));
    const missing = (schema: wire.Schema<never>, types: readonly string[] = []) =>
      types.filter((type) => /unknown variant/.test(refusal(() => schema.encode({ type } as never)).message));
    expect(names.announce).toHaveLength(2);
    expect(missing(wire.AnnounceMessage as wire.Schema<never>, names.announce)).toEqual([]);
    // `last` is a field.
    expect(missing(wire.SyncMessage as wire.Schema<never>, names.sync)).toEqual(['last']);
  });
});

test('a close code is described by name and number, or by number alone', () => {
  expect(describeCloseCode(30_405)).toBe('InvalidProof (30405)');
  expect(describeCloseCode(7)).toBe('7');
});
