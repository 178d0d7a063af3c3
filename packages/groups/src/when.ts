import type { Bonds } from '@mosaik/bonds';
import type { RaftStatus } from '@mosaik/raft';
import type { PeerId } from '@mosaik/wire';
import type { Clock, Watch } from '@mosaik/wire/runtime';
import { CursorWatcher } from './cursor-watcher.ts';
import { type WaitOptions, waitFor } from './wait-for.ts';

/**
 * Promises for states of a group. Each resolves at once when the state already holds (`leaderChanged`, `advanced`,
 * `changed` and `reverted` wait for the next change), and rejects with `terminated` when the group closes.
 */
export class When {
  readonly #clock: Clock;
  readonly #localId: PeerId;
  readonly #status: Watch<RaftStatus>;
  readonly #bonds: Watch<Bonds>;

  constructor(init: { clock: Clock; localId: PeerId; status: Watch<RaftStatus>; bonds: Watch<Bonds> }) {
    this.#clock = init.clock;
    this.#localId = init.localId;
    this.#status = init.status;
    this.#bonds = init.bonds;
  }

  /** Resolves with the leader as soon as one is known. */
  leaderElected(options: WaitOptions = {}): Promise<PeerId> {
    return this.#wait('a leader', (status) => status.leader, options);
  }

  /** Resolves with the next leader that is not the present one. */
  leaderChanged(options: WaitOptions = {}): Promise<PeerId> {
    const before = this.#status.value.leader;
    return this.#wait('another leader', ({ leader }) => (leader === before ? undefined : leader), options);
  }

  /** Resolves when `peer` is the leader. */
  leaderIs(peer: PeerId, options: WaitOptions = {}): Promise<PeerId> {
    return this.#wait(`leadership of ${peer}`, ({ leader }) => (leader === peer ? peer : undefined), options);
  }

  /** Resolves when this node is the leader. */
  async isLeader(options: WaitOptions = {}): Promise<void> {
    await this.leaderIs(this.#localId, options);
  }

  /** Resolves when this node follows another leader. */
  async isFollower(options: WaitOptions = {}): Promise<void> {
    const follows = ({ role, leader }: RaftStatus) => role === 'follower' && leader !== undefined;
    await this.#wait('following a leader', (status) => (follows(status) ? true : undefined), options);
  }

  /** Resolves when this node leads, or is a caught-up follower of a known leader. */
  async online(options: WaitOptions = {}): Promise<void> {
    await this.#wait('being online', (status) => (status.online ? true : undefined), options);
  }

  /** Resolves when this node can not serve. */
  async offline(options: WaitOptions = {}): Promise<void> {
    await this.#wait('being offline', (status) => (status.online ? undefined : true), options);
  }

  /** Resolves with the bonds once there are `target` of this node's own, or once `target` holds for them. */
  bonds(target: number | ((bonds: Bonds) => boolean), options: WaitOptions = {}): Promise<Bonds> {
    const holds = typeof target === 'number' ? (bonds: Bonds) => bonds.size >= target : target;
    const what = typeof target === 'number' ? `having ${target} bonds` : 'the condition on bonds';
    return waitFor(this.#clock, this.#bonds, (bonds) => (holds(bonds) ? bonds : undefined), {
      ...options,
      what,
      describe: (bonds) => `${bonds.size} bonds`,
    });
  }

  /** The index up to which this node knows entries to be committed. */
  committed(): CursorWatcher<RaftStatus> {
    return new CursorWatcher(this.#clock, this.#status, (status) => status.committed, 'the commit index');
  }

  /** The last index of this node's log, committed or not. */
  log(): CursorWatcher<RaftStatus> {
    return new CursorWatcher(this.#clock, this.#status, (status) => status.logPosition.index, 'the log');
  }

  #wait<V>(what: string, pick: (status: RaftStatus) => V | undefined, options: WaitOptions): Promise<V> {
    return waitFor(this.#clock, this.#status, pick, { ...options, what, describe: describeStatus });
  }
}

function describeStatus({ role, term, leader, online }: RaftStatus): string {
  return `${role} in term ${term}, leader ${leader ?? 'unknown'}, ${online ? 'online' : 'offline'}`;
}
