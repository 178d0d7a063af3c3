import { type Timer, type Watch, WatchCell } from '@mosaik/wire/runtime';
import type { RaftComponents } from './components.ts';
import type { RaftCore } from './core/raft-core.ts';
import type { Reverted } from './reverted.ts';
import { describeProgress, describeState, type RaftStatus } from './status.ts';
import type { LogStorage } from './storage/log-storage.ts';

/** How often progress is told: what stands behind metrics may take longer than a turn of ours. */
const GAUGE_INTERVAL_MS = 1000;

export interface StatusPublisherInit {
  readonly core: RaftCore;
  readonly storage: LogStorage;
  readonly components: RaftComponents;
  readonly labels: Readonly<Record<string, string>>;
  readonly applied: () => number;
  /** There is something to publish at the end of the next turn. */
  readonly changed: () => void;
}

/** Publishes what a member is and knows: a new picture at most once per turn, and the gauges that follow it. */
export class StatusPublisher {
  readonly #init: StatusPublisherInit;
  readonly #status: WatchCell<RaftStatus>;
  readonly #storageProblem: (() => void) | undefined;
  #changed = false;
  /** Not only progress of the log. */
  #stateChanged = false;
  #revertedCount = 0;
  /** While there is progress that no gauge has told. */
  #gaugeTimer: Timer | undefined;

  constructor(init: StatusPublisherInit) {
    const { core, storage, components, applied } = init;
    this.#init = init;
    this.#status = new WatchCell(describeState(core.state, applied(), components.clock.nowMs()));
    this.#storageProblem = storage.problem?.subscribe(() => {
      this.handleChange(false);
      init.changed();
    });
  }

  get status(): Watch<RaftStatus> {
    return this.#status;
  }

  /** `progress`: nothing but the log went on. */
  handleChange(progress: boolean): void {
    this.#changed = true;
    if (!progress) this.#stateChanged = true;
  }

  /** Told at once: the commit index may be back where it was by the end of the turn. */
  handleRewound(to: number): void {
    const { value } = this.#status;
    const committed = Math.min(value.committed, to);
    this.#status.set({ ...value, online: false, committed, applied: this.#init.applied() });
  }

  handleReverted({ from, to, commands }: Reverted<unknown>): void {
    const { components, labels } = this.#init;
    this.#revertedCount += commands.length;
    this.handleChange(false);
    components.metrics.count('mosaik.groups.raft.reverted', labels, commands.length);
    components.logger.warn(
      { ...labels, from, to, commands: commands.length },
      'this side of the group gave way to another: commands are gone',
    );
  }

  /** At the end of a turn. The new picture; undefined when nothing changed but how far the log goes. */
  publish(): RaftStatus | undefined {
    if (!this.#changed) return undefined;
    this.#changed = false;
    const { core, components, labels, storage } = this.#init;
    const applied = this.#init.applied();
    if (!this.#stateChanged) {
      this.#status.set(describeProgress(this.#status.value, core.state, applied));
      this.#gaugeTimer ??= components.clock.schedule(GAUGE_INTERVAL_MS, this.#gaugeCommitted);
      return undefined;
    }
    this.#stateChanged = false;
    const described = {
      ...describeState(core.state, applied, components.clock.nowMs()),
      ...(this.#revertedCount > 0 ? { reverted: this.#revertedCount } : {}),
    };
    const stored = storage.problem?.value;
    const status = stored === undefined ? described : { ...described, problem: described.problem ?? stored };
    this.#status.set(status);
    this.#gaugeCommitted();
    components.metrics.gauge('mosaik.groups.raft.term', status.term, labels);
    components.metrics.gauge('mosaik.groups.raft.committee.voters', status.members.length, labels);
    return status;
  }

  readonly #gaugeCommitted = (): void => {
    this.#gaugeTimer?.cancel();
    this.#gaugeTimer = undefined;
    const { core, components, labels } = this.#init;
    components.metrics.gauge('mosaik.groups.raft.committed', core.state.commit, labels);
  };

  /** From now on nothing is published but this. */
  end(state: RaftStatus['state'], problem: string | undefined): void {
    this.#status.set({
      ...this.#status.value,
      state,
      ...(problem === undefined ? {} : { problem }),
      ...(this.#revertedCount > 0 ? { reverted: this.#revertedCount } : {}),
      role: 'follower',
      leader: undefined,
      online: false,
    });
  }

  /** Stops listening to the store, and the clock. */
  detach(): void {
    this.#gaugeTimer?.cancel();
    this.#storageProblem?.();
  }

  /** Whoever waits for a change gets `error`. */
  close(error: Error): void {
    this.#status.close(error);
  }
}
