import { expect, test } from 'vitest';
import { command, epochOf, opening } from '../core/harness.ts';
import { peerOf, Stage } from './stage.ts';

/**
 * Every message exchange as text, in the file of the same name; `pnpm vitest run packages/raft/test/transcripts -u` writes
 * the files anew, and the difference is what changed.
 */
const matches = (name: string, stage: Stage) => expect(stage.text).toMatchFileSnapshot(`./${name}.txt`);

const first = epochOf(1, 0);
/** Three members that share a log in term 1; nobody leads yet. */
const three = (mode: 'voters' | 'dynamic' = 'voters') =>
  new Stage(3, () => ({ mode, term: 1, log: [{ epoch: first, entries: [opening(3, true)] }] }));
/** The same, led by n0 in term 2, with everything committed and known to be. */
const led = (mode: 'voters' | 'dynamic' = 'voters') => {
  const stage = three(mode);
  return stage.unseen(() => stage.bondAll().wait(402, 0).pass(300));
};

test('genesis: every listed voter grants, and the first entry names them (voters)', () =>
  matches(
    'genesis',
    new Stage(3).say('all meet, all empty').bondAll().say('n0 is the first to wait no longer').wait(2, 0),
  ));

test('founding: an empty group without a list begins with whoever is bonded (D5)', () =>
  matches('founding', new Stage(2, () => ({ mode: 'dynamic' })).bondAll().wait(2, 0)));

test('election: pre-vote, vote, opening entry, commit (§5.2, thesis §9.6)', () =>
  matches(
    'election',
    three()
      .except('Status')

      .bondAll()
      .wait(402, 0),
  ));

test('election denied: a candidate whose log is behind (§5.4.1)', () => {
  const log = [{ epoch: first, entries: [opening(3, true), command('newer')] }];
  const stage = new Stage(3, (index) => ({
    term: 1,
    log: index === 0 ? [{ epoch: first, entries: [opening(3, true)] }] : log,
  }));
  return matches('election-denied', stage.except('Status').bondAll().wait(402, 0));
});

test('election ignored: whoever hears a leader answers no candidate (thesis §9.6)', () => {
  const stage = led().except('Status');
  return matches(
    'election-ignored',
    stage
      .say('n1 hears nothing for an election timeout, n2 does')
      .unseen(() => stage.part(0, 1).wait(300, 0))
      .wait(150, 1),
  );
});

test('replication: append, acknowledgement, commit index (§5.3)', () =>
  matches('replication', led().except('Status').propose(0, 'a', 'b')));

test('conflict: a log that went another way is found in one step and replaced (§5.3)', () => {
  const stage = new Stage(3, (index) => ({
    term: index === 2 ? 2 : 3,
    log: [
      { epoch: first, entries: [opening(3, true), command('common')] },
      index === 2
        ? { epoch: epochOf(2, 2), entries: [opening(3), command('never committed')] }
        : { epoch: epochOf(3, 0), entries: [opening(3), command('kept')] },
    ],
  }));
  return matches('conflict', stage.except('Status').bondAll().wait(402, 0));
});

test('forwarding: a follower’s commands go to the leader, the answer says where they stand', () =>
  matches('forwarding', led().except('Status').propose(1, 'a', 'b')));

test('refusal: whoever leads no more takes no forwarded commands', () => {
  const stage = led().except('Status');
  return matches(
    'refusal',
    stage
      .say('n1 forwards to n0, which stood down meanwhile')
      .unseen(() => stage.core(0).state.becomeFollower(2, 1000))
      .propose(1, 'a'),
  );
});

test('read: a follower asks for an index, the leader confirms that it leads (thesis §6.4)', () =>
  matches('read', led().except('Status').read(1)));

test('read at the leader: one round for all that a turn asks', () => {
  const stage = led().except('Status');
  stage.core(0).handle({ type: 'read', first: 1, count: 2 }, 1000);
  return matches('read-leader', stage.read(0));
});

test('transfer: the target campaigns without pre-vote, the others let it (thesis §3.10)', () =>
  matches(
    'transfer',
    led()
      .except('Status')
      .request(2, { type: 'Transfer', to: peerOf(1) }),
  ));

/** n0 and n1 share a beginning; each then led a side of its own, and both took a command. */
const split = (size: number) => {
  const common = { epoch: first, entries: [opening(size, true), command('common')] };
  return new Stage(size, (index) => {
    const epoch = epochOf(2, index);
    const forced = {
      ...opening(1, true),
      members: [{ peer: peerOf(index), incarnation: 1000n + BigInt(index) }],
    };
    return { mode: 'dynamic', term: 2, log: [common, { epoch, entries: [forced, command(`of n${index}`)] }] };
  });
};

test('merge: the greater side claims, the other yields and goes back (D6–D8)', () => {
  const stage = split(2);
  stage.unseen(() => stage.wait(803, 0, 1));
  return matches('merge', stage.bondAll().pass(200));
});

test('merge of three: a leader that is claimed while its own claim is out is busy (D6)', () => {
  const stage = split(3);
  stage.unseen(() => stage.wait(803, 0, 1, 2));
  return matches('merge-busy', stage.only('Claim', 'Yield', 'Busy', 'Yielded').bondAll().pass(2000));
});

test('merge without loss: whoever has no command of its own simply joins (D6)', () => {
  const stage = new Stage(2, (index) => {
    const epoch = epochOf(2, index);
    const forced = {
      ...opening(1, true),
      members: [{ peer: peerOf(index), incarnation: 1000n + BigInt(index) }],
    };
    return {
      mode: 'dynamic',
      term: 2,
      log: [{ epoch, entries: index === 0 ? [forced] : [forced, command('of n1')] }],
    };
  });
  stage.unseen(() => stage.wait(803, 0, 1));
  return matches('merge-without-loss', stage.bondAll().pass(200));
});
