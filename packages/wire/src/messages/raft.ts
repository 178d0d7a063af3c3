import { option, struct, variants, vec } from '../codec/composites.ts';
import { bool, bytes, fixedBytes, id, safeU64, u64 } from '../codec/primitives.ts';
import type { Infer } from '../codec/schema.ts';
import type { PeerId } from '../ids.ts';
import {
  commandBytes,
  EntryRun,
  MAX_ENTRIES,
  MAX_RAFT_RUNS,
  MAX_RAFT_SIDES,
  members,
  Position,
  RaftEpoch,
  runs,
  uniqueId,
} from './raft-log.ts';

const Verdict = variants('Verdict', {
  Granted: null,
  Denied: null,
  Abstained: null,
  /** Denied because the answering member's log is ahead (Raft §5.4.1). */
  Ahead: null,
  /** A forced epoch denied because the answering member reaches a majority of its set. */
  Reachable: null,
});

const Refusal = variants('Refusal', {
  Offline: null,
  NoQuorum: null,
  Overloaded: null,
  TooLarge: null,
  /** Leadership is being handed over: ask the next leader. */
  Moving: null,
  /** The set can not be changed yet: a change, or the first entry of this epoch, is not committed. */
  ChangeInProgress: null,
  /** Not a member of the set, or none that could be chosen. */
  NotAVoter: null,
  /** The member asked to take over was not elected in time. */
  NotElected: null,
});

/** What a member may ask the leader for. */
export const RaftRequest = variants('RaftRequest', {
  /** Leadership for `to`, or for whoever is most up to date. */
  Transfer: { to: option(id<PeerId>()) },
  AddVoter: { peer: id<PeerId>() },
  RemoveVoter: { peer: id<PeerId>() },
});
export type RaftRequest = Infer<typeof RaftRequest>;

/** Where a member stands, and by what its side is ranked when it meets another one. */
const standing = {
  term: safeU64,
  /** Forced epochs of the sender's log, newest first: the first names its side. */
  sides: vec(RaftEpoch, { max: MAX_RAFT_SIDES }),
  /** The epoch that it follows or leads. */
  epoch: option(RaftEpoch),
  last: option(Position),
  committed: safeU64,
  /** The set in its log, and who was in it before (last incarnation known). */
  view: members,
  former: members,
  /** Index of the last command in its log; 0 when there is none. */
  lastCommand: safeU64,
  joining: bool,
  observer: bool,
  /** It does not take part any more. */
  stopped: bool,
  /** A leader's run table (newest part), when it speaks to another side. */
  runs,
};
/** Most bytes of a snapshot that one message carries. */
export const MAX_SYNC_CHUNK_BYTES = 256 * 1024;
const chunkBytes = bytes({ max: MAX_SYNC_CHUNK_BYTES });
const digest = fixedBytes(32);

/** A snapshot that a member can give: `bytes` of envelope and machine's part, `digest` (BLAKE3) of both. */
export const SnapshotOffer = struct('SnapshotOffer', {
  epoch: RaftEpoch,
  index: safeU64,
  envelopeBytes: safeU64,
  bytes: safeU64,
  digest,
});
export type SnapshotOffer = Infer<typeof SnapshotOffer>;

/** What raft members say to each other. `incarnation` is the sender's. Variants are only ever appended. */
export const RaftMessage = struct(
  'RaftMessage',
  {
    incarnation: u64,
    body: variants(
      'RaftBody',
      {
        /** Where the sender stands: at bond formation, on change, and now and then. */
        Status: standing,
        VoteRequest: {
          /** The epoch to be: its leader is the candidate. */
          epoch: RaftEpoch,
          /** Asks only whether it could win: binds nobody. */
          pre: bool,
          side: option(RaftEpoch),
          lastTerm: safeU64,
          lastIndex: safeU64,
          /** A forced epoch: everyone whose answer it needs, and the set that it gives up. */
          forced: option(struct('Forced', { founders: members, view: members })),
          /** The epoch whose leader asked for this campaign. */
          transfer: option(RaftEpoch),
        },
        VoteResponse: { epoch: RaftEpoch, pre: bool, term: safeU64, verdict: Verdict },
        Append: {
          epoch: RaftEpoch,
          side: option(RaftEpoch),
          /** The entry before the first one sent; none for index 0. */
          prev: option(Position),
          entries: vec(EntryRun, { max: MAX_RAFT_RUNS }),
          commit: safeU64,
          /** Read round that the answer confirms. */
          round: safeU64,
          /** The leader holds its own log durably up to here. */
          durable: safeU64,
        },
        Appended: {
          epoch: RaftEpoch,
          /** Higher than the epoch's when its leader is deposed. */
          term: safeU64,
          /** The contiguous durable prefix that agrees with the leader's log. */
          match: safeU64,
          round: safeU64,
          /**
           * Present when the predecessor at `prev` did not match (0: start over): the answering member's runs, newest part,
           * and its last index.
           */
          reject: option(struct('Reject', { prev: safeU64, last: safeU64, runs })),
        },
        /**
         * Commands for the leader of this epoch, of a session of the sender's. The proposals are the sequences from `first`
         * on; `keys` names those that have one, by their place.
         */
        Forward: {
          epoch: RaftEpoch,
          session: safeU64,
          first: safeU64,
          ackedBelow: safeU64,
          keys: vec(struct('Key', { at: safeU64, key: uniqueId }), { max: MAX_ENTRIES }),
          proposals: vec(vec(commandBytes, { max: MAX_ENTRIES }), { max: MAX_ENTRIES }),
        },
        /** The proposals from `first` on were appended one after the other from `index`. */
        Forwarded: { first: safeU64, count: safeU64, epoch: RaftEpoch, index: safeU64 },
        /** The proposals from `first` on were not appended. */
        Refused: { first: safeU64, count: safeU64, reason: Refusal },
        ReadRequest: { read: safeU64 },
        /** Reads numbered up to `read` may be answered once this index is applied. */
        ReadGranted: { read: safeU64, index: safeU64 },
        ReadRefused: { read: safeU64, reason: Refusal },
        /**
         * The leader of `epoch`, whose log ends at `last`, hands over: the leader of `next` campaigns for that epoch at once,
         * everybody else votes for it. `leaving`: it is not to be handed leadership again.
         */
        TimeoutNow: { epoch: RaftEpoch, last: safeU64, next: RaftEpoch, leaving: bool },
        /** The commit index went on and there is nothing to append; needs no answer. */
        Committed: { epoch: RaftEpoch, commit: safeU64 },
        /** Asks the leader to do something other than append commands. */
        Request: { request: safeU64, what: RaftRequest },
        RequestDone: { request: safeU64 },
        RequestRefused: { request: safeU64, reason: Refusal },
        /** Every data voter holds the entries up to here: a witness may let go of them. */
        Retain: { epoch: RaftEpoch, index: safeU64 },
        /** A leader to the leader of another side: mine outranks yours, unless you show that it does not. */
        Claim: standing,
        /** To the leader of `claim`: the side of the sender, whose term this is, gives way. */
        Yield: { claim: RaftEpoch, term: safeU64 },
        /** To the leader of `claim`: not now. */
        Busy: { claim: RaftEpoch },
        /**
         * The leader of `epoch` gave way to `claim`: whoever follows it moves over with the first append that `claim`'s
         * leader sends in exactly that term.
         */
        Yielded: { epoch: RaftEpoch, claim: RaftEpoch, side: RaftEpoch, term: safeU64, last: safeU64, runs },
        /** Asks the leader of this epoch for a session; answered as a forwarded proposal of that number. */
        OpenSession: { epoch: RaftEpoch, number: safeU64, incarnation: u64 },
        /** A member that is far behind asks its leader for what it needs to catch up by itself. */
        SyncRequest: { epoch: RaftEpoch },
        /**
         * The leader's answer, and unasked when it gave up what the member needs: its log begins after `base`, entries up
         * to `commit` are to be fetched, those after it will come as appends. `runs`: the newest part of its run table.
         */
        SyncPlan: { epoch: RaftEpoch, base: safeU64, commit: safeU64, last: safeU64, runs },
        /** Asks a member what it could give. */
        SyncQuery: {},
        /** Committed entries after `base` up to `commit`, and a snapshot. */
        SyncOffer: { base: safeU64, commit: safeU64, snapshot: option(SnapshotOffer) },
        /** Asks for committed entries. */
        RangeRequest: { from: safeU64, to: safeU64 },
        /** As many of them as fit into one message; none when they are not here. */
        Range: { from: safeU64, entries: vec(EntryRun, { max: MAX_RAFT_RUNS }) },
        /** Asks for a part of the snapshot with that digest. */
        ChunkRequest: { digest, offset: safeU64, length: safeU64 },
        /** Empty when it is not here. */
        Chunk: { digest, offset: safeU64, bytes: chunkBytes },
        /** A message of the group's own way to transfer state; opaque here. */
        StateSync: { payload: chunkBytes },
      },
      // What most messages are.
      {
        Append: {
          read: (reader, fields) => ({
            type: 'Append',
            epoch: fields.epoch.read(reader),
            side: fields.side.read(reader),
            prev: fields.prev.read(reader),
            entries: fields.entries.read(reader),
            commit: fields.commit.read(reader),
            round: fields.round.read(reader),
            durable: fields.durable.read(reader),
          }),
          write(writer, fields, body) {
            fields.epoch.write(writer, body.epoch);
            fields.side.write(writer, body.side);
            fields.prev.write(writer, body.prev);
            fields.entries.write(writer, body.entries);
            fields.commit.write(writer, body.commit);
            fields.round.write(writer, body.round);
            fields.durable.write(writer, body.durable);
          },
        },
        Appended: {
          read: (reader, fields) => ({
            type: 'Appended',
            epoch: fields.epoch.read(reader),
            term: fields.term.read(reader),
            match: fields.match.read(reader),
            round: fields.round.read(reader),
            reject: fields.reject.read(reader),
          }),
          write(writer, fields, body) {
            fields.epoch.write(writer, body.epoch);
            fields.term.write(writer, body.term);
            fields.match.write(writer, body.match);
            fields.round.write(writer, body.round);
            fields.reject.write(writer, body.reject);
          },
        },
      },
    ),
  },
  {
    read: (reader, { incarnation, body }) => ({
      incarnation: incarnation.read(reader),
      body: body.read(reader),
    }),
    write(writer, fields, { incarnation, body }) {
      fields.incarnation.write(writer, incarnation);
      fields.body.write(writer, body);
    },
  },
);
export type RaftMessage = Infer<typeof RaftMessage>;
export type RaftBody = RaftMessage['body'];
