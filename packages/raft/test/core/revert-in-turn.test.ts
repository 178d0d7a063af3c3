import { SnapshotEnvelope } from '@mosaik/wire';
import { expect, test } from 'vitest';
import { parseEnvelope } from '../../src/core/envelope.ts';
import { RaftLog } from '../../src/core/log.ts';
import { revertTo } from '../../src/core/revert.ts';
import { holdSnapshot } from '../../src/core/snapshot.ts';
import { command, epochOf, Harness, member } from './harness.ts';

/** Of another member's log, up to `index`. */
function snapshotAt(index: number) {
  const epoch = epochOf(1, 1);
  const log = new RaftLog();
  log.append(epoch, [{ type: 'Opening', forced: true, members: [member(1)], learners: [] }]);
  log.append(
    epoch,
    Array.from({ length: index - 1 }, (_, i) => command(`${i}`)),
  );
  const envelope = SnapshotEnvelope.encode(log.envelopeAt(index, new Uint8Array()));
  return holdSnapshot({ index, epoch, envelope, chunks: [] });
}

test('a snapshot installed in a turn that then gives up its side is nothing for the machine (consensus D8)', () => {
  const { state } = new Harness({ mode: 'dynamic' }).core;
  state.takeEffects();
  const snapshot = snapshotAt(16);
  state.installSnapshot(snapshot, parseEnvelope(snapshot.envelope));
  revertTo(state, { index: 3, exact: true });
  const seen = state.takeEffects().flatMap((effect) => {
    if (effect.type === 'apply') return [`apply ${effect.to}`];
    if (effect.type === 'restore') return [`restore ${effect.snapshot?.index ?? 'nothing'}`];
    return effect.type === 'revert' ? [`revert to ${effect.to}`] : [];
  });
  expect(seen).toEqual(['apply 0', 'revert to 0', 'restore nothing', 'apply 0']);
  expect(state.commit).toBe(0);
});
