/** A bug put in on purpose: in that file that text becomes the other one, when the simulation is bundled. */
export interface Mutation {
  readonly name: string;
  /** Below `packages`. */
  readonly file: string;
  /** Is there exactly once; anything else is an error of this table. */
  readonly find: string;
  readonly replace: string;
  /** In the same file, where one change alone would do no harm. */
  readonly also?: { readonly find: string; readonly replace: string };
  /** What only whole nodes have: their simulation is to notice it. */
  readonly whole?: boolean;
}

const CORE = 'raft/src/core';
const CANDIDATE = `${CORE}/roles/candidate.ts`;
const VOTER = `${CORE}/roles/voter.ts`;
const FOLLOWER = `${CORE}/roles/follower.ts`;
const LEADER = `${CORE}/roles/leader.ts`;
const STATE = `${CORE}/state.ts`;
const SESSIONS = 'raft/src/sessions/session-table.ts';

export const mutations: readonly Mutation[] = [
  {
    name: 'own-term-rule-dropped',
    file: LEADER,
    find: 'if (index <= s.commit || index < leadership.openingIndex) return;',
    replace: 'if (index <= s.commit) return;',
  },
  {
    name: 'vote-not-persisted',
    file: STATE,
    find: 'return vote ? { incarnation, term, vote } : { incarnation, term };',
    replace: 'return { incarnation, term };',
  },
  {
    name: 'vote-answered-before-it-is-durable',
    file: VOTER,
    find: `  s.afterPersist(() => {
    if (!sameEpoch(s.vote, body.epoch)) return;`,
    replace: `  answer(s, body, 'Granted');
  s.afterPersist(() => {
    if (!sameEpoch(s.vote, body.epoch)) return;`,
  },
  {
    name: 'term-not-persisted',
    file: STATE,
    find: 'return vote ? { incarnation, term, vote } : { incarnation, term };',
    replace: 'return vote ? { incarnation, term, vote } : { incarnation, term: 0 };',
  },
  {
    name: 'vote-twice-in-a-term',
    file: VOTER,
    find: "  if (!body.pre && s.vote && !sameEpoch(s.vote, body.epoch)) return 'Denied';\n",
    replace: '',
  },
  {
    name: 'denials-counted-as-grants',
    file: CANDIDATE,
    find: "if (verdict === 'Granted') granted += 1;",
    replace: "if (verdict === 'Granted' || verdict === 'Denied') granted += 1;",
  },
  {
    name: 'votes-of-another-campaign-counted',
    file: CANDIDATE,
    find: 'if (!campaign || body.pre !== campaign.pre || !sameEpoch(body.epoch, campaign.epoch)) return;',
    replace: 'if (!campaign) return;',
  },
  {
    name: 'log-not-compared-in-elections',
    file: VOTER,
    find: "  if (isAhead(s, body)) return 'Ahead';\n",
    replace: '',
  },
  {
    name: 'abstain-when-behind',
    file: VOTER,
    find: "  if (isAhead(s, body)) return 'Ahead';\n",
    replace:
      "  if (isAhead(s, body)) return 'Ahead';\n  if (s.log.last < body.lastIndex) return 'Abstained';\n",
  },
  {
    name: 'stickiness-dropped',
    file: VOTER,
    find: '  if (!s.hasLiveLeader(nowMs) || s.leader === body.epoch.leader) return false;\n',
    replace: '  if (nowMs >= 0) return false;\n',
  },
  {
    name: 'pre-vote-changes-terms',
    file: VOTER,
    find: 'if (!body.pre && body.epoch.term > s.term)',
    replace: 'if (body.epoch.term > s.term)',
  },
  {
    name: 'removed-member-campaigns',
    file: `${CORE}/electorate.ts`,
    find: 's.counted || isLeaving(s) ?',
    replace: 's.role ?',
  },
  {
    name: 'amnesiac-votes-again',
    file: STATE,
    find: 'stored?.hardState.incarnation ?? rng.u64()',
    replace: 'stored?.hardState.incarnation ?? 1n',
  },
  {
    name: 'amnesiac-acknowledgement-counted',
    file: LEADER,
    find: 'progress?.incarnation === incarnation ? value(progress) : 0',
    replace: 'progress ? value(progress) : 0',
  },
  {
    name: 'amnesiac-vote-counted',
    file: CANDIDATE,
    find: 'if (!peer || !isMember(campaign.electorate.members, from, peer.incarnation)) return;',
    replace: 'if (!peer) return;',
  },
  {
    name: 'acknowledged-before-fsync',
    file: FOLLOWER,
    find: '  const match = Math.min(s.matched, s.durable);\n  if (match < s.matched) {',
    replace: '  const match = s.matched;\n  if (match < s.matched) {',
  },
  {
    name: 'acknowledged-beyond-the-match',
    file: FOLLOWER,
    find: '  const match = Math.min(s.matched, s.durable);\n  if (match < s.matched) {',
    replace: '  const match = s.durable;\n  if (match < s.matched) {',
  },
  {
    name: 'leader-counts-unsynced-entries',
    file: LEADER,
    find: 'memberValues(s, leadership, s.durable, (progress) => progress.match)',
    replace: 'memberValues(s, leadership, s.log.last, (progress) => progress.match)',
  },
  {
    name: 'commit-beyond-the-match',
    file: FOLLOWER,
    find: 's.commitTo(Math.min(index, s.matched));',
    replace: 's.commitTo(Math.min(index, s.log.last));',
  },
  {
    name: 'predecessor-not-checked',
    file: FOLLOWER,
    find: 'if (prevIndex > s.matched && !s.log.matches(prevIndex, body.prev?.epoch)) {',
    replace: 'if (prevIndex > s.log.last) {',
  },
  {
    name: 'truncation-forgotten',
    file: FOLLOWER,
    find: '        s.truncateTo(index);\n        s.headFor(body.side);\n',
    replace: '        s.headFor(body.side);\n',
  },
  {
    name: 'truncation-not-written',
    file: `${CORE}/durability.ts`,
    find: '      ...(this.#truncateTo === undefined ? {} : { truncateTo: this.#truncateTo }),\n',
    replace: '',
  },
  {
    name: 'nonce-dropped',
    file: `${CORE}/epoch.ts`,
    find: 'a.nonce === b.nonce && a.term === b.term && a.leader === b.leader',
    replace: 'a.term === b.term',
  },
  {
    name: 'terms-compared-across-sides',
    file: FOLLOWER,
    find: '  if (!sameEpoch(body.side, s.side)) {\n',
    replace: '  if (nowMs < 0) {\n',
  },
  {
    name: 'reads-without-the-round',
    file: LEADER,
    find: '    s.reads.startRound(leadership.round, readIndex(s));\n    maybeConfirmReads(s);\n',
    replace:
      '    s.reads.startRound(leadership.round, readIndex(s));\n    s.reads.handleRound(s, leadership.round);\n',
  },
  {
    name: 'read-joins-a-sent-round',
    file: LEADER,
    find: '    leadership.round += 1;\n',
    replace: '    if (leadership.round === 0 || s.turn % 8 === 0) leadership.round += 1;\n',
  },
  {
    name: 'read-before-an-entry-of-its-own',
    file: LEADER,
    find: 'if (s.reads.hasQueued && s.commit >= leadership.openingIndex) {',
    replace: 'if (s.reads.hasQueued) {',
    also: {
      find: 'const told = s.commit >= s.log.membersIndex && majority',
      replace: 'const told = majority',
    },
  },
  {
    name: 'read-index-without-what-a-follower-answered',
    file: LEADER,
    find: 'const told = s.commit >= s.log.membersIndex && majority(s.log.members.length) > 2;',
    replace: 'const told = true;',
  },
  {
    name: 'follower-commits-with-its-leader-among-five',
    file: FOLLOWER,
    find: 'majority(s.log.members.length) > 2) return;',
    replace: 'majority(s.log.members.length) > 3) return;',
  },
  {
    name: 'follower-commits-what-its-leader-has-not-synced',
    file: FOLLOWER,
    find: 'const index = Math.min(s.leaderDurable, s.matched, s.durable);',
    replace: 'const index = Math.min(s.matched, s.durable);',
  },
  {
    name: 'read-answered-before-it-is-applied',
    file: `${CORE}/tables.ts`,
    find: '      if (index > state.commit) return true;\n',
    replace: '',
  },
  {
    name: 'set-changed-before-an-entry-of-its-own',
    file: `${CORE}/set-change.ts`,
    find: 'return s.commit >= leadership.openingIndex && s.commit >= s.log.membersIndex;',
    replace: 'return s.commit >= s.log.membersIndex || s.log.membersIndex === leadership.openingIndex;',
  },
  {
    name: 'two-set-changes-at-once',
    file: `${CORE}/set-change.ts`,
    find: 'return s.commit >= leadership.openingIndex && s.commit >= s.log.membersIndex;',
    replace: 'return s.commit >= leadership.openingIndex;',
  },
  {
    name: 'set-changed-on-old-answers',
    file: `${CORE}/prospect.ts`,
    find: 'if (!prospect || countAnswers(s, leadership, prospect) < majority(prospect.members.length)) return;',
    replace: 'if (!prospect) return;',
  },
  {
    name: 'view-shrunk-on-slowness',
    file: `${CORE}/membership.ts`,
    find: '    if (answers || isPresent(s, peer)) return false;\n',
    replace:
      '    if (answers) return false;\n    if (nowMs - (progress?.lastAckMs ?? nowMs) > s.electionTimeoutMs) return true;\n',
  },
  {
    name: 'forced-with-a-majority-in-reach',
    file: `${CORE}/electorate.ts`,
    find: 'return members.length > 0 && countReached(s, members) >= majority(members.length);',
    replace: 'return members.length > 0 && countReached(s, members) === members.length;',
  },
  {
    name: 'both-sides-outrank',
    file: `${CORE}/rank.ts`,
    find: 'return advantage === 0 ? order : advantage > 0;',
    replace: 'return advantage >= 0;',
  },
  {
    name: 'rollback-not-told',
    file: `${CORE}/revert.ts`,
    find: "  s.emit({ type: 'revert', to, from, lost, complete });\n",
    replace: '',
  },
  {
    name: 'machine-not-restored',
    file: `${CORE}/revert.ts`,
    find: "  s.emit({ type: 'restore', snapshot: s.snapshot && storedSnapshot(s.snapshot), sessions });\n  s.emit({ type: 'apply', to });\n",
    replace: '',
  },
  {
    name: 'envelope-without-the-set',
    file: `${CORE}/log.ts`,
    find: 'members: [...(set?.members ?? [])],',
    replace: 'members: [],',
  },
  {
    name: 'envelope-without-forced-epochs',
    file: `${CORE}/log.ts`,
    find: 'forced: this.sides(index),',
    replace: 'forced: [],',
  },
  {
    name: 'append-above-its-bound',
    file: `${CORE}/log.ts`,
    find: 'if (to >= from && (bytes > maxBytes || i - from >= maxEntries)) break;',
    replace: 'if (to >= from && bytes > maxBytes) break;',
  },
  {
    name: 'window-of-appends-without-a-bound',
    file: LEADER,
    find: '    if (progress.inflightCount >= maxInflightAppends || progress.inflightBytes >= maxInflightBytes) return;\n',
    replace: '',
  },
  {
    name: 'crossed-dials-decided-by-both-ends',
    file: 'bonds/src/core/peer-paths.ts',
    find: 'if (!this.#isLower && this.#crossed(live, incarnation, nowMs))',
    replace: 'if (nowMs < 0)',
  },
  {
    name: 'sequence-without-incarnation',
    file: SESSIONS,
    find: 'if (before?.incarnation === incarnation) return;',
    replace: 'if (before) return;',
    also: {
      find: 'return session?.incarnation === incarnation ? session.id : 0;',
      replace: 'return session?.id ?? 0;',
    },
    whole: true,
  },
  {
    name: 'sequence-applied-again',
    file: SESSIONS,
    find: 'this.#admitted = session?.applied.add(sequence) ?? false;',
    replace: 'session?.applied.add(sequence);\n    this.#admitted = session !== undefined;',
    whole: true,
  },
  {
    name: 'command-of-a-session-that-is-gone-applied',
    file: SESSIONS,
    find: 'session?.applied.add(sequence) ?? false;',
    replace: 'session?.applied.add(sequence) ?? true;',
  },
  {
    name: 'snapshot-without-the-session-table',
    file: SESSIONS,
    find: '    for (const { id, origin, incarnation, low, ranges } of sessions)\n',
    replace: '    for (const { id, origin, incarnation, low, ranges } of sessions.slice(sessions.length))\n',
    whole: true,
  },
];
