import type { GroupId, NetworkId } from '@mosaik/wire';
import { str } from '@mosaik/wire';
import { VirtualClock } from '@mosaik/wire/testing';
import { expect, test } from 'vitest';
import { Applier } from '../src/applier.ts';
import { RaftLog } from '../src/core/log.ts';
import { RevertReports } from '../src/revert-reports.ts';
import { meshId, textMachine } from './support/mesh.ts';

/** A log of five commands, and what is to apply it. */
function create() {
  const machine = textMachine();
  const log = new RaftLog();
  const owner = { origin: meshId(0), incarnation: 1n };
  log.append({ term: 1, leader: meshId(0), nonce: 1n }, [
    { type: 'Session', ...owner },
    ...['a', 'b', 'c', 'd'].map((text, i) => ({
      type: 'Command' as const,
      session: 1,
      sequence: i + 1,
      unacked: 0,
      key: undefined,
      value: str().encode(text),
    })),
  ]);
  const applier = new Applier({
    machine,
    log,
    groupId: 'aa'.repeat(32) as GroupId,
    networkId: 'bb'.repeat(32) as NetworkId,
    localId: owner.origin,
    incarnation: owner.incarnation,
    maxSessions: 4,
    handleSession: () => {},
    handleReplaced: () => {},
    handleApplied: () => {},
    handleRejected: () => {},
    reverts: new RevertReports({ clock: new VirtualClock(), tell: () => {}, handleLate: () => {} }),
  });
  return { machine, log, applier };
}

const never = () => false;

test('an entry that is to be applied and is not there is a bug, and nothing after it is applied', () => {
  const { machine, log, applier } = create();
  applier.applyTo(2, never);
  log.compactTo(4);
  expect(() => applier.applyTo(5, never)).toThrow(
    'entry 3 is to be applied, after 2, and the log holds 5 to 5',
  );
  expect([machine.applied, applier.applied]).toEqual([['a'], 2]);
});

test('so is one that is beyond the log', () => {
  const { machine, applier } = create();
  expect(() => applier.applyTo(6, never)).toThrow(
    'entry 6 is to be applied, after 5, and the log holds 1 to 5',
  );
  expect(machine.applied).toEqual(['a', 'b', 'c', 'd']);
});
