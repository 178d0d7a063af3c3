/** A bug put in on purpose: in that file that text becomes the other one, when the simulation is bundled. */
export interface Mutation {
  readonly name: string;
  /** Below `packages`. */
  readonly file: string;
  /** Is there exactly once; anything else is an error of this table. */
  readonly find: string;
  readonly replace: string;
}

const CORE = 'raft/src/core';
const CANDIDATE = `${CORE}/roles/candidate.ts`;
const FOLLOWER = `${CORE}/roles/follower.ts`;
const LEADER = `${CORE}/roles/leader.ts`;
const STATE = `${CORE}/state.ts`;

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
    file: CANDIDATE,
    find: `  s.afterPersist(() => {
    if (sameEpoch(s.vote, body.epoch)) answer(s, from, body, 'Granted');
  });`,
    replace: `  answer(s, from, body, 'Granted');`,
  },
  {
    name: 'term-not-persisted',
    file: STATE,
    find: 'return vote ? { incarnation, term, vote } : { incarnation, term };',
    replace: 'return vote ? { incarnation, term, vote } : { incarnation, term: 0 };',
  },
  {
    name: 'vote-twice-in-a-term',
    file: CANDIDATE,
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
    file: CANDIDATE,
    find: "  if (isAhead(s, body)) return 'Ahead';\n",
    replace: '',
  },
  {
    name: 'abstain-when-behind',
    file: CANDIDATE,
    find: "  if (isAhead(s, body)) return 'Ahead';\n",
    replace:
      "  if (isAhead(s, body)) return 'Ahead';\n  if (s.log.last < body.lastIndex) return 'Abstained';\n",
  },
  {
    name: 'stickiness-dropped',
    file: CANDIDATE,
    find: '  if (!s.hasLiveLeader(nowMs) || s.leader === from) return false;\n',
    replace: '  if (nowMs >= 0) return false;\n',
  },
  {
    name: 'pre-vote-changes-terms',
    file: CANDIDATE,
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
    find: 'if (!s.log.matches(prevIndex, body.prev?.epoch)) {',
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
    name: 'view-shrunk-on-slowness',
    file: `${CORE}/membership.ts`,
    find: '    if (answers || isPresent(s, peer)) return false;\n',
    replace:
      '    if (answers) return false;\n    if (nowMs - (progress?.lastAckMs ?? nowMs) > s.electionTimeoutMs) return true;\n',
  },
  {
    name: 'both-sides-outrank',
    file: `${CORE}/rank.ts`,
    find: 'return advantage === 0 ? order : advantage > 0;',
    replace: 'return advantage >= 0;',
  },
  {
    name: 'rollback-not-told',
    file: STATE,
    find: "    this.emit({ type: 'revert', to, from, lost, complete });\n",
    replace: '',
  },
  {
    name: 'machine-not-restored',
    file: STATE,
    find: "    this.emit({ type: 'restore', snapshot: this.snapshot && storedSnapshot(this.snapshot), sessions });\n    this.emit({ type: 'apply', to });\n",
    replace: '',
  },
  {
    name: 'crossed-dials-decided-by-both-ends',
    file: 'bonds/src/core/peer-paths.ts',
    find: 'live && this.#isLower && live.dialled && !dialled &&',
    replace: 'live && live.dialled && !dialled &&',
  },
];
