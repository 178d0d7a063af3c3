import type { Connection, Link } from '@mosaik/transport';
import { type BondId, type PeerId, UniqueId } from '@mosaik/wire';
import { silentLogger, silentMetrics } from '@mosaik/wire/runtime';
import { seededRng, settle, VirtualClock } from '@mosaik/wire/testing';
import { expect, test } from 'vitest';
import { BondConnection, type BondOwner } from '../src/bond-connection.ts';
import { MAX_BULK_QUEUE_BYTES } from '../src/options.ts';

const never = new Promise<never>(() => {});

/** A bond over links that take everything, with the lengths of what its bulk link was given. */
function bondOf(): { bond: BondConnection; bulk: number[]; ended: unknown[] } {
  const bulk: number[] = [];
  const ended: unknown[] = [];
  const link = (written: number[]) =>
    ({
      queuedBytes: 0,
      write: (frame: Uint8Array) => written.push(frame.length) > 0,
      receiveBatch: () => never,
    }) as unknown as Link;
  const connection = {
    remoteId: UniqueId.from<PeerId>('peer'),
    closed: never,
    openLink: async () => link(bulk),
    acceptLink: () => never,
    close: async () => {},
  } as unknown as Connection;
  const owner = {
    handleEnded: (_, reason) => ended.push(reason),
    admit: async () => ({ ok: true }),
  } as Partial<BondOwner> as BondOwner;
  const bond = new BondConnection({
    number: 1,
    connection,
    control: link([]),
    maxBulkFrameBytes: 2 * MAX_BULK_QUEUE_BYTES,
    id: UniqueId.from<BondId>('bond'),
    incarnation: 1n,
    intervalMs: 500,
    jitterMs: 100,
    maxMissed: 5,
    bondIdOf: () => UniqueId.from<BondId>('another'),
    owner,
    rng: seededRng(1),
    clock: new VirtualClock(),
    logger: silentLogger,
    metrics: silentMetrics,
    labels: {},
  });
  return { bond, bulk, ended };
}

test('a bulk link is opened by an empty frame', async () => {
  const { bond, bulk } = bondOf();
  bond.start([]);
  await settle();
  expect(bulk).toEqual([0]);
});

test('a frame above the bound that was sent before the start opens it instead, and ends nothing', async () => {
  const { bond, bulk, ended } = bondOf();
  const length = MAX_BULK_QUEUE_BYTES + 1;
  expect(bond.sendRaft(new Uint8Array(length), 'bulk')).toBe(true);
  bond.start([]);
  await settle();
  expect(bulk).toEqual([length]);
  expect(ended).toEqual([]);
});
