import type { RaftBody } from '@mosaik/wire';
import { describe, expect, test } from 'vitest';
import { changeSet } from '../../src/core/set-change.ts';
import { command, epochOf, Harness, member, opening, propose } from './harness.ts';

/** A follower of member 1 that has its opening and one command, nothing of it known to be committed. */
function follower(size: number) {
  const epoch = epochOf(1, 1);
  return new Harness({ size, term: 1, log: [{ epoch, entries: [opening(size), command('a')] }] });
}

function append(durable: number, commit = 0): RaftBody {
  const epoch = epochOf(1, 1);
  return {
    type: 'Append',
    epoch,
    side: undefined,
    prev: { epoch, index: 2 },
    entries: [{ epoch, entries: [command('b')] }],
    commit,
    round: 0,
    durable,
  };
}

describe('where two are a majority', () => {
  test('a follower commits what its leader and it hold durably, before the leader says so', () => {
    const h = follower(3);
    h.receive(1, append(3));
    h.drain();
    expect(h.state.commit, 'its own write is under way').toBe(2);
    expect(h.persist()).toContainEqual({ type: 'apply', to: 3 });
  });

  test('it waits for the leader’s own disk', () => {
    const h = follower(3);
    h.receive(1, append(2));
    h.run();
    expect(h.state.commit).toBe(2);
  });

  test('an entry of an earlier epoch is not committed by counting copies (§5.4.2)', () => {
    const h = follower(3);
    h.receive(1, {
      ...append(2),
      epoch: epochOf(2, 1),
      prev: { epoch: epochOf(1, 1), index: 2 },
      entries: [],
    } as RaftBody);
    h.run();
    expect(h.state.commit).toBe(0);
  });

  test('two of four are none: the follower waits to be told', () => {
    const h = follower(4);
    h.receive(1, append(3));
    h.run();
    expect(h.state.commit).toBe(0);
  });

  test('a read waits for everything the leader has appended: a follower may have answered for it', () => {
    const h = new Harness({ size: 3, term: 1, log: [{ epoch: epochOf(1, 0), entries: [opening(3)] }] });
    h.lead();
    h.ack(1, h.state.log.last);
    const { commit } = h.state;
    h.input(propose(1, [[new Uint8Array(1)]]));
    h.run();
    h.input({ type: 'read', first: 1, count: 1 });
    h.run();
    expect(h.ack(2, commit, 1), 'confirmed, not yet applied').not.toContainEqual(
      expect.objectContaining({ type: 'read-ready' }),
    );
    expect(h.ack(2, commit + 1, 1)).toContainEqual(expect.objectContaining({ type: 'read-ready' }));
  });

  test('so it does while the set that made two a majority may be a follower’s still (pnpm sim, seed 3000351)', () => {
    const h = new Harness({
      size: 4,
      mode: 'dynamic',
      term: 1,
      log: [{ epoch: epochOf(1, 0), entries: [opening(3, true)] }],
    });
    h.lead();
    h.ack(1, h.state.log.last);
    h.ack(2, h.state.log.last);
    const { commit } = h.state;
    h.input(propose(1, [[new Uint8Array(1)]]));
    h.run();
    const { leadership } = h.state;
    if (!leadership) throw new Error('it leads');
    changeSet(h.state, leadership, [0, 1, 2, 3].map(member), []);
    h.run();
    h.input({ type: 'read', first: 1, count: 1 });
    h.run();
    h.ack(1, commit, 1);
    expect(h.ack(2, commit, 1)).not.toContainEqual(expect.objectContaining({ type: 'read-ready' }));
  });
});
