import { type CompactionOptions, logReplay, memoryLogStorage, type StateSync } from '@mosaik/raft';
import { afterEach, expect, test } from 'vitest';
import { pushedState } from '../examples/pushed-state.ts';
import { Mesh, textMachine } from './support/mesh.ts';

const SMALL: CompactionOptions = { snapshotAfterEntries: 16, retainBytes: 1500, revertHorizonBytes: 0 };

let mesh: Mesh;
afterEach(() => mesh.close());

const machineWith = (sync: StateSync) => Object.assign(textMachine(), { stateSync: () => sync });

/** Three members with a compacted log, then a fourth. */
async function joinLate(sync: StateSync) {
  mesh = new Mesh({ bootstrapDelayMs: 100 });
  for (let i = 0; i < 3; i += 1) await mesh.open(i, { machine: machineWith(sync), compaction: SMALL });
  const leader = await mesh.online(3);
  for (let i = 0; i < 200; i += 1) {
    let done = false;
    leader.execute(`command ${i}`).then(() => {
      done = true;
    });
    await mesh.clock.until(() => done);
  }
  const storage = memoryLogStorage();
  const machine = machineWith(sync);
  const late = await mesh.open(3, { machine, storage, compaction: SMALL });
  await mesh.online(4);
  await mesh.clock.until(() => late.status.value.applied === mesh.leader?.status.value.applied);
  return { machine, stored: await storage.open() };
}

const COMMANDS = Array.from({ length: 200 }, (_, i) => `command ${i}`);

test('a state transfer from outside of the package brings a member level', async () => {
  let opened = 0;
  let delivered = 0;
  const sync = pushedState();
  const { machine, stored } = await joinLate({
    signature: sync.signature,
    open: (host) => {
      opened += 1;
      const transfer = sync.open?.({
        ...host,
        deliver: (offer, chunks) => {
          if (chunks) delivered += 1;
          host.deliver(offer, chunks);
        },
      });
      if (!transfer) throw new Error('the example has a transfer');
      return transfer;
    },
  });
  expect(opened).toBe(4);
  expect(delivered).toBeGreaterThan(0);
  expect(stored?.base).toBeGreaterThan(100);
  expect(machine.applied).toEqual(COMMANDS);
});

test.each(['wrong bytes', 'nothing', 'a throw'])(
  'the snapshot is fetched all the same when a transfer gives %s',
  async (what) => {
    const { machine } = await joinLate({
      signature: pushedState().signature,
      open: (host) => ({
        handleMessage: () => {},
        fetch(offer) {
          if (what === 'a throw') throw new Error('told to');
          host.deliver(offer, what === 'nothing' ? undefined : [Uint8Array.of(1, 2, 3)]);
        },
        close: () => {},
      }),
    });
    expect(machine.applied).toEqual(COMMANDS);
  },
);

test('with log replay the log is kept whole', async () => {
  const { machine, stored } = await joinLate(logReplay());
  expect([stored?.base, stored?.snapshot]).toEqual([0, undefined]);
  expect(machine.applied).toEqual(COMMANDS);
});
