import type { RaftStatus } from '@mosaik/groups';
import type { LogWrite } from '@mosaik/raft';
import type { LogEntry, PeerId, RaftEpoch, RaftMember } from '@mosaik/wire';
import { UniqueId } from '@mosaik/wire';
import { VirtualClock } from '@mosaik/wire/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { AgreedLog } from '../src/agreed-log.ts';
import { Checks } from '../src/checks.ts';
import { Disk } from '../src/disk.ts';
import type { Life, Member } from '../src/member.ts';

const ids = [0, 1, 2].map((i) => UniqueId.from<PeerId>(`member ${i}`));
const set: RaftMember[] = ids.map((peer, i) => ({ peer, incarnation: BigInt(i) }));
const idOf = (index: number): PeerId => ids[index] ?? UniqueId.from<PeerId>('nobody');
const epochOf = (term: number, leader: number, nonce = 1): RaftEpoch => ({
  term,
  leader: idOf(leader),
  nonce: BigInt(100 * term + 10 * leader + nonce),
});
const opening: LogEntry = { type: 'Opening', forced: false, members: set, learners: [] };
const other: LogEntry = { type: 'View', members: set, learners: [] };

let violations: string[];
let disks: Disk[];
let lives: Life[];
let checks: Checks;

/** Three voters with empty stores. */
beforeEach(() => {
  violations = [];
  const agreed = new AgreedLog(() => {});
  disks = set.map(
    () =>
      new Disk({
        handleWrite: (disk, write) => checks.handleWrite(disk, write),
        entriesUpTo: (index) => agreed.upTo(index),
      }),
  );
  const members = disks.map((disk, i) => ({ name: `m${i}`, id: idOf(i), disk, life: undefined }));
  lives = members.map((member, i) => life(member as unknown as Member, disks[i] as Disk));
  checks = new Checks({
    mode: 'voters',
    agreed,
    members: members as unknown as Member[],
    report: (invariant) => violations.push(invariant),
    onForgotten() {},
  });
  members.forEach((member, i) => {
    checks.own(disks[i] as Disk, member as unknown as Member);
    write(i, { hardState: { incarnation: BigInt(i), term: 0 } });
  });
});

const life = (member: Member, disk: Disk): Life =>
  ({ name: member.name, member, disk, alive: true, applied: 0, seen: undefined }) as unknown as Life;

function write(index: number, change: LogWrite): void {
  void disks[index]?.mount(new VirtualClock(), () => 0).write(change);
}

const vote = (index: number, epoch: RaftEpoch) =>
  write(index, { hardState: { incarnation: BigInt(index), term: epoch.term, vote: epoch } });

const append = (index: number, epoch: RaftEpoch, entries: LogEntry[]) =>
  write(index, { append: [{ epoch, entries }] });

function say(index: number, status: Partial<RaftStatus>): void {
  const whole: RaftStatus = {
    state: 'running',
    role: 'follower',
    term: 1,
    leader: undefined,
    online: false,
    committed: 0,
    applied: 0,
    logPosition: { term: 1, index: disks[index]?.lastIndex ?? 0 },
    quorum: { mode: 'voters', have: 3, need: 2 },
    members: ids,
    suspended: false,
    ...status,
  };
  const member = lives[index];
  if (member) checks.handleStatus(member, whole);
}

/** Elected by members 0 and 1, opened, and stored by both. */
function elected(epoch: RaftEpoch): void {
  vote(0, epoch);
  vote(1, epoch);
  append(0, epoch, [opening]);
  append(1, epoch, [opening]);
}

describe('the checks of logs', () => {
  it('are content with an election, its opening and its commit', () => {
    elected(epochOf(1, 0));
    say(0, { role: 'leader', leader: idOf(0), committed: 1, applied: 1 });
    say(1, { leader: idOf(0), committed: 1, applied: 1 });
    expect(violations).toEqual([]);
  });

  it('notice a term that goes back, and a second vote', () => {
    vote(0, epochOf(2, 0));
    vote(0, epochOf(2, 1));
    vote(0, epochOf(1, 1));
    expect(violations).toEqual(['one vote per term (Raft §5.2)', 'terms never go back (Raft §5.1)']);
  });

  it('notice an epoch that too few voted for', () => {
    vote(0, epochOf(1, 0));
    append(0, epochOf(1, 0), [opening]);
    expect(violations).toEqual(['a leader was elected by a majority of the set in force (Raft §5.2)']);
  });

  it('notice two epochs of one term', () => {
    elected(epochOf(1, 0));
    append(2, epochOf(1, 2), [opening]);
    expect(violations).toContain('one epoch per term (Raft §5.2)');
  });

  it('notice an entry that is another elsewhere, or follows another', () => {
    elected(epochOf(1, 0));
    append(0, epochOf(1, 0), [other]);
    append(1, epochOf(1, 0), [opening]);
    expect(violations).toEqual(['an epoch and an index name one entry and its predecessor (Raft §5.3)']);
  });

  it('notice a commit that too few stored', () => {
    const epoch = epochOf(1, 0);
    elected(epoch);
    append(0, epoch, [other]);
    say(0, { role: 'leader', leader: idOf(0), committed: 2 });
    expect(violations).toEqual(['what is committed is stored by a majority of the set in force']);
  });

  it('notice a commit by counting an earlier epoch', () => {
    elected(epochOf(1, 0));
    say(0, { role: 'leader', leader: idOf(0), term: 2 });
    say(0, { role: 'leader', leader: idOf(0), term: 2, committed: 1 });
    expect(violations).toEqual(['a leader commits by entries of its own epoch (Raft §5.4.2)']);
  });

  it('let a follower commit and lead at one moment', () => {
    elected(epochOf(1, 0));
    say(0, { role: 'follower', leader: idOf(1), term: 1 });
    say(0, { role: 'leader', leader: idOf(0), term: 2, committed: 1 });
    expect(violations).toEqual([]);
  });

  it('notice a committed entry that a log gives up, and a leader that never had it', () => {
    elected(epochOf(1, 0));
    say(0, { role: 'leader', leader: idOf(0), committed: 1 });
    write(1, { truncateTo: 0 });
    expect(violations).toEqual(['a committed entry is never removed from a log']);
    vote(1, epochOf(2, 2));
    vote(2, epochOf(2, 2));
    append(2, epochOf(2, 2), [opening]);
    expect(violations).toContain('a leader has every committed entry (Raft §5.4.3)');
  });

  it('let one lead late that has all that was committed before its term', () => {
    elected(epochOf(3, 0));
    say(0, { role: 'leader', leader: idOf(0), term: 3, committed: 1 });
    violations = [];
    append(2, epochOf(2, 2), [opening]);
    expect(violations).not.toContain('a leader has every committed entry (Raft §5.4.3)');
  });

  it('notice members that committed different entries', () => {
    elected(epochOf(1, 0));
    say(0, { role: 'leader', leader: idOf(0), committed: 1 });
    append(2, epochOf(2, 2), [opening]);
    violations = [];
    say(2, { committed: 1 });
    expect(violations).toEqual(['committed entries are the same everywhere (Raft §5.4.3)']);
  });
});

describe('the checks of what members say', () => {
  it('notice two leaders in one term', () => {
    elected(epochOf(1, 0));
    say(0, { role: 'leader', leader: idOf(0) });
    say(1, { role: 'leader', leader: idOf(1) });
    expect(violations).toEqual(['at most one leader per term (Raft §5.2)']);
  });

  it('notice positions out of order or going back', () => {
    elected(epochOf(1, 0));
    say(0, { committed: 1, applied: 0 });
    say(0, { committed: 0, applied: 0 });
    say(0, { committed: 0, applied: 1 });
    expect(violations).toEqual(['committed never goes back', 'applied ≤ committed ≤ last']);
  });

  it('notice a member that stopped', () => {
    say(0, { state: 'diverged', problem: 'met another side' });
    expect(violations).toEqual(['no member stops as diverged without cause']);
  });
});
