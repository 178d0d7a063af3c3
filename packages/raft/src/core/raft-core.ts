import type { PeerId, RaftMessage } from '@mosaik/wire';
import type { Rng } from '@mosaik/wire/runtime';
import type { StoredLog } from '../storage/log-storage.ts';
import { handleSnapshot } from './compaction.ts';
import type { CoreConfig } from './config.ts';
import type { Effect } from './effect.ts';
import { hastenElection } from './election-timer.ts';
import { sameEpoch } from './epoch.ts';
import type { Input } from './input.ts';
import { noticeLag } from './lag.ts';
import type { RaftLog } from './log.ts';
import { handleBusy, handleClaim, handleYield, handleYielded } from './merge.ts';
import type { Peer } from './peer.ts';
import {
  flushEarly,
  handleForward,
  handleForwardedSession,
  handleOpenSession,
  handlePropose,
  handleRefused,
} from './proposals.ts';
import { handleRead, handleReadRefused } from './reads.ts';
import { handleRequest } from './requests.ts';
import { handleElectionTimeout, handleTimeoutNow, handleVoteResponse } from './roles/candidate.ts';
import { flushFollower, handleAppend, handleCommitted } from './roles/follower.ts';
import {
  addFollower,
  flushLeader,
  handleAppended,
  handleLeaderTick,
  handleSyncRequest,
  maybeAdvanceCommit,
} from './roles/leader.ts';
import { handleVoteRequest } from './roles/voter.ts';
import { RaftState } from './state.ts';
import { flushStatus, handleStatus, handleStatusTick, sendStatus } from './status-exchange.ts';
import { stop } from './stop.ts';
import { handleChunkRequest, handleRangeRequest, handleSyncQuery } from './sync/serve.ts';
import {
  handleChunk,
  handleRange,
  handleState,
  handleSyncApplied,
  handleSyncOffer,
  handleSyncPeer,
  handleSyncPeerGone,
  handleSyncPlan,
  handleSyncTick,
  nextSyncDeadlineMs,
} from './sync/sync.ts';
import { handleSuccessorLost, handleTransferTick, isLast } from './transfer.ts';
import { handleRetain, pruneWitness } from './witness-retention.ts';

export interface RaftCoreInit {
  readonly config: CoreConfig;
  readonly rng: Rng;
  /** What the store gave back; undefined for a new one. */
  readonly stored?: StoredLog | undefined;
  readonly nowMs: number;
}

/**
 * One member's consensus as a synchronous state machine: inputs in, effects out, no clock and no I/O.
 *
 * `drain` ends a turn: whatever the inputs since the last one made due is sent then, batched. Call it again after
 * `persisted` until it gives nothing.
 */
export class RaftCore {
  readonly state: RaftState;

  constructor({ config, rng, stored, nowMs }: RaftCoreInit) {
    this.state = new RaftState(config, rng, stored, nowMs);
  }

  get log(): RaftLog {
    return this.state.log;
  }

  handle(input: Input, nowMs: number): void {
    const s = this.state;
    noticeLag(s, nowMs);
    switch (input.type) {
      case 'message':
        this.#handleMessage(input.from, input.message, nowMs);
        return;
      case 'bond-up':
        this.#handleBondUp(input.peer, input.incarnation, nowMs);
        return;
      case 'bond-down':
        this.#handleBondDown(input.peer, input.departed, nowMs);
        return;
      case 'propose':
        handlePropose(s, input.batch, nowMs);
        return;
      case 'open-session':
        handleOpenSession(s, input.number, input.incarnation, nowMs);
        return;
      case 'read':
        handleRead(s, { first: input.first, count: input.count, from: undefined }, nowMs);
        return;
      case 'request':
        handleRequest(s, { request: input.request, from: undefined }, input.what, nowMs);
        return;
      case 'persisted':
        if (s.config.durableAtOnce) return;
        s.handlePersisted(input.seq);
        if (s.role === 'leader') maybeAdvanceCommit(s);
        else if (s.matched > 0 && s.leader) s.ackDue = true;
        return;
      case 'applied':
        handleSyncApplied(s, input.to, nowMs);
        return;
      case 'snapshot':
        handleSnapshot(s, input.snapshot);
        return;
      case 'state':
        handleState(s, input.digest, input.chunks, nowMs);
        return;
      case 'unsent':
        if (input.lane === 'bulk') {
          const progress = s.leadership?.progress.get(input.to);
          // To one that catches up by itself go answers too; the appends it misses it asks for in the end.
          if (!progress || progress.syncTo > 0) return;
          progress.probeAfter(progress.match);
          progress.awaiting = true;
        }
        return;
      case 'depart':
        s.departing = true;
        return;
      case 'failed':
        stop(s, input.problem);
        return;
      case 'tick':
        this.#handleTick(nowMs);
    }
  }

  /** Gives what is to be done, in order. `continued`: again in the same turn, after `persisted`. */
  drain(nowMs: number, continued = false): readonly Effect[] {
    const s = this.state;
    noticeLag(s, nowMs);
    if (!continued) s.turn += 1;
    if (s.settleWrites()) maybeAdvanceCommit(s);
    flushEarly(s, nowMs);
    if (!s.stopped) {
      flushLeader(s, nowMs);
      flushFollower(s, nowMs);
      this.#maybeHandOver();
      pruneWitness(s);
    }
    flushStatus(s, nowMs);
    return s.takeEffects();
  }

  /** When `tick` is due next. */
  nextDeadlineMs(): number | undefined {
    const s = this.state;
    if (s.stopped) return undefined;
    let next = s.statusDeadlineMs;
    const consider = (deadline: number | undefined) => {
      if (deadline !== undefined && deadline < next) next = deadline;
    };
    consider(s.forwards.nextDeadlineMs);
    consider(s.reads.nextDeadlineMs);
    consider(s.requests.nextDeadlineMs);
    consider(s.transfer?.deadlineMs);
    consider(s.held.untilMs);
    consider(nextSyncDeadlineMs(s));
    if (s.leadership) {
      consider(s.leadership.heartbeatDeadlineMs);
    } else {
      consider(s.electionDeadlineMs);
      if (s.leader !== undefined) consider(s.lastContactMs + s.electionTimeoutMs);
    }
    return next;
  }

  #handleMessage(from: PeerId, { incarnation, body }: RaftMessage, nowMs: number): void {
    const s = this.state;
    const peer = s.peers.get(from);
    if (!peer || s.stopped) return;
    if (incarnation !== peer.incarnation) {
      peer.incarnation = incarnation;
      addFollower(s, from, incarnation, nowMs);
    }
    switch (body.type) {
      case 'Status':
        handleStatus(s, peer, body, nowMs);
        return;
      case 'VoteRequest':
        handleVoteRequest(s, from, body, nowMs);
        return;
      case 'VoteResponse':
        handleVoteResponse(s, from, body, nowMs);
        return;
      case 'Append':
        handleAppend(s, from, body, nowMs);
        return;
      case 'Appended':
        handleAppended(s, from, body, nowMs);
        return;
      case 'Forward':
        handleForward(s, from, body, nowMs);
        return;
      case 'Forwarded': {
        const { first, count, epoch, index } = body;
        if (s.forwards.settle(from, first, count, epoch))
          s.emit({ type: 'accepted', first, count, epoch, index });
        return;
      }
      case 'Refused':
        handleRefused(s, from, body, nowMs);
        return;
      case 'ReadRequest':
        handleRead(s, { first: body.read, count: 1, from }, nowMs);
        return;
      case 'ReadGranted':
        s.reads.handleGranted(s, from, body.read, body.index);
        return;
      case 'ReadRefused':
        handleReadRefused(s, from, body, nowMs);
        return;
      case 'TimeoutNow':
        handleTimeoutNow(s, from, body, nowMs);
        return;
      case 'SyncRequest':
        handleSyncRequest(s, from, body.epoch, nowMs);
        return;
      case 'SyncPlan':
        handleSyncPlan(s, from, body, nowMs);
        return;
      case 'SyncQuery':
        handleSyncQuery(s, from);
        return;
      case 'SyncOffer':
        handleSyncOffer(s, from, body, nowMs);
        return;
      case 'RangeRequest':
        handleRangeRequest(s, from, body);
        return;
      case 'Range':
        handleRange(s, from, body, nowMs);
        return;
      case 'ChunkRequest':
        handleChunkRequest(s, from, body);
        return;
      case 'Chunk':
        handleChunk(s, from, body, nowMs);
        return;
      case 'Committed':
        handleCommitted(s, from, body);
        return;
      case 'Retain':
        handleRetain(s, from, body);
        return;
      case 'Request':
        handleRequest(s, { request: body.request, from }, body.what, nowMs);
        return;
      case 'RequestDone':
        if (s.requests.settle(from, body.request)) s.emit({ type: 'request-done', request: body.request });
        return;
      case 'RequestRefused':
        if (s.requests.settle(from, body.request))
          s.emit({ type: 'request-refused', request: body.request, reason: body.reason.type });
        return;
      case 'Claim':
        handleClaim(s, from, body, nowMs);
        return;
      case 'Yield':
        handleYield(s, from, body, nowMs);
        return;
      case 'Busy':
        handleBusy(s, from, body, nowMs);
        return;
      case 'Yielded':
        handleYielded(s, from, body, nowMs);
        return;
      case 'OpenSession':
        handleForwardedSession(s, from, body, nowMs);
    }
  }

  #handleBondUp(id: PeerId, incarnation: bigint, nowMs: number): void {
    const s = this.state;
    if (id === s.localId || (s.peers.size >= s.config.limits.maxPeers && !s.peers.has(id))) return;
    const peer: Peer = { id, incarnation, status: undefined, foreignSinceMs: undefined, leaving: false };
    s.peers.set(id, peer);
    s.lost.delete(id);
    sendStatus(s, peer);
    if (s.stopped) return;
    addFollower(s, id, incarnation, nowMs);
    handleSyncPeer(s, peer);
    this.#handleBondChange(nowMs);
    s.changed();
  }

  #handleBondDown(id: PeerId, departed: boolean, nowMs: number): void {
    const s = this.state;
    const peer = s.peers.get(id);
    if (!peer) return;
    s.peers.delete(id);
    if (s.lost.size >= s.config.limits.maxPeers) s.lost.delete([...s.lost.keys()][0] as PeerId);
    const hadLog = peer.status?.last !== undefined;
    s.lost.set(id, { incarnation: peer.incarnation, sinceMs: nowMs, departed, hadLog });
    s.leadership?.progress.delete(id);
    handleSuccessorLost(s, id, nowMs);
    s.requests.handleLeaderGone(s, id, true);
    s.forwards.giveUp(s, (record) => record.leader === id);
    s.reads.forgetPeer(id);
    s.conflicts.delete(id);
    handleSyncPeerGone(s, id, nowMs);
    if (s.leader === id) {
      s.clearLeader();
      hastenElection(s, nowMs);
    }
    this.#handleBondChange(nowMs);
    s.changed();
    // A removal that is due at once does not wait for the next heartbeat.
    if (departed && s.leadership) s.leadership.heartbeatDeadlineMs = nowMs;
  }

  /** A campaign that needs the answers of exactly those that were bonded starts over (consensus D4). */
  #handleBondChange(nowMs: number): void {
    const s = this.state;
    if (s.campaign?.electorate.kind !== 'founders') return;
    s.campaign = undefined;
    s.role = 'follower';
    hastenElection(s, nowMs);
  }

  #handleTick(nowMs: number): void {
    const s = this.state;
    if (s.stopped) return;
    s.forwards.giveUp(s, (record) => record.deadlineMs <= nowMs);
    s.reads.handleTick(s, nowMs);
    s.requests.handleTick(s, nowMs);
    handleTransferTick(s, nowMs);
    if (s.leadership) handleLeaderTick(s, nowMs);
    else {
      if (s.leader !== undefined && nowMs >= s.lastContactMs + s.electionTimeoutMs) s.clearLeader();
      if (nowMs >= s.electionDeadlineMs) handleElectionTimeout(s, nowMs);
    }
    handleSyncTick(s, nowMs);
    handleStatusTick(s, nowMs);
  }

  /** Leaving is over once somebody else leads and could commit, or nobody else is there. */
  #maybeHandOver(): void {
    const s = this.state;
    if (!s.departing) return;
    if (s.role === 'leader') {
      if (!s.handedOver) return;
    } else if (s.transferring && !isLast(s)) {
      if (!s.leader || !sameEpoch(s.log.epochAt(Math.min(s.commit, s.leaderCommit)), s.epoch)) return;
    }
    s.departing = false;
    s.transferring = false;
    s.emit({ type: 'handed-over' });
  }
}
