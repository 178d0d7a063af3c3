import type { PeerId, RaftEpoch } from '@mosaik/wire';
import { Applier } from './applier.ts';
import { ApplySlices } from './apply-slices.ts';
import type { Calls } from './calls.ts';
import { compaction } from './compaction.ts';
import { sameEpoch } from './core/epoch.ts';
import type { Input } from './core/input.ts';
import type { RaftCore } from './core/raft-core.ts';
import type { NodeEffect } from './driver.ts';
import type { RaftNodeInit } from './node-init.ts';
import { OwnStateSync } from './own-state-sync.ts';
import { RevertReports } from './revert-reports.ts';
import { describeLost, type Reverted } from './reverted.ts';
import { Snapshotter } from './snapshotter.ts';

type EffectOf<T extends NodeEffect['type']> = Extract<NodeEffect, { type: T }>;

export interface MachineHostInit<C, Q, R, O> {
  readonly node: RaftNodeInit<C, Q, R, O>;
  readonly core: RaftCore;
  readonly calls: Calls<O>;
  /** What the session of this member is opened for. */
  readonly life: bigint;
  readonly input: (input: Input) => void;
  /** The machine is elsewhere than before; `later`: not within a turn. */
  readonly handleApplied: (later: boolean) => void;
  /** This member gave up commands, and knows which of them are lost. */
  readonly handleReverted: (reverted: Reverted<C>) => void;
  /** Something is due at the end of the next turn. */
  readonly schedule: () => void;
  readonly handleFailure: (error: unknown) => void;
}

/** The state machine of one member: what it applies, its snapshots, and how it goes back when its side lost. */
export class MachineHost<C, Q, R, O> {
  readonly #init: MachineHostInit<C, Q, R, O>;
  readonly #applier: Applier<C, Q, R, O>;
  readonly #slices: ApplySlices;
  readonly #snapshotter: Snapshotter | undefined;
  readonly #ownSync: OwnStateSync | undefined;
  readonly #reverts: RevertReports<C>;
  /** Went back in this turn. */
  #reverting = false;
  /** Whom it followed when it went back last. */
  #winner: { readonly epoch: RaftEpoch | undefined; readonly side: RaftEpoch | undefined } | undefined;

  constructor(init: MachineHostInit<C, Q, R, O>) {
    const { core, calls, life, input, handleApplied, handleFailure } = init;
    const { machine, components, groupId, networkId, localId, config } = init.node;
    this.#init = init;
    this.#snapshotter = this.#createSnapshotter();
    this.#reverts = new RevertReports({
      clock: components.clock,
      tell: (reverted) => this.#tell(reverted),
      handleLate: init.schedule,
    });
    this.#ownSync = OwnStateSync.open(machine.stateSync?.(), { core, components, input });
    this.#applier = new Applier({
      machine,
      log: core.log,
      snapshotter: this.#snapshotter,
      reverts: this.#reverts,
      groupId,
      networkId,
      localId,
      incarnation: life,
      maxSessions: config.maxSessions,
      handleSession: (session) => calls.handleSession(session),
      handleReplaced: (session, wasApplied) => calls.handleReplaced(session, wasApplied),
      handleApplied: (sequence, index, output, more) => calls.handleApplied(sequence, index, output, more),
      handleRejected: (sequence, error) => calls.handleRejected(sequence, error),
    });
    this.#slices = new ApplySlices({
      clock: components.clock,
      apply: (to, isLate) => {
        this.#applier.applyTo(to, isLate);
        return this.#applier.applied;
      },
      handleApplied,
      handleFailure,
    });
    if (core.state.snapshot && !this.#witness) this.#applier.restore(core.state.snapshot);
    this.#slices.restart(this.#applier.applied);
  }

  get applied(): number {
    return this.#applier.applied;
  }

  /** Up to here it is to be applied. */
  get target(): number {
    return this.#slices.target;
  }

  /** Goes back, within this turn. */
  get reverting(): boolean {
    return this.#reverting;
  }

  /** @throws what the machine throws. */
  advanceTo(target: number): void {
    if (!this.#witness) this.#slices.advanceTo(target);
  }

  /** The state is another's from now on. @throws what the machine throws. */
  restore({ snapshot }: EffectOf<'restore'>): void {
    if (this.#witness) return;
    this.#applier.restore(snapshot);
    this.#slices.restart(this.#applier.applied);
    this.#init.handleApplied(false);
  }

  /** Its side lost to another (consensus D8). The machine is restored by the effects that follow. */
  revert({ to, from, lost, complete }: EffectOf<'revert'>): void {
    const { calls, core, node } = this.#init;
    const { applied } = this;
    this.#winner = { epoch: core.state.epoch, side: core.state.side };
    const given = describeLost(
      from,
      lost,
      (session) => this.#applier.ownerOf(session),
      (bytes) => node.machine.command.decode(bytes),
    );
    calls.handleReverted();
    this.#applier.rewindTo(to);
    this.#slices.rewindTo(to);
    // Nothing that a machine sees is gone.
    if (given.length === 0 && complete) return;
    this.#reverting = true;
    const entries = lost.reduce((sum, run) => sum + run.entries.length, 0);
    this.#reverts.add({ common: to, from, to: Math.max(from, from + entries - 1), applied, complete, given });
  }

  /** At the end of a turn. */
  handleTurn(): void {
    this.#reverting = false;
    if (!this.#reverts.pending) return;
    if (this.#hasCaughtUp) this.#reverts.tell(this.#applier.sessions);
    else if (this.#reverts.isLate || this.#init.core.state.stopped) this.#reverts.tell(undefined);
  }

  fetchState({ offer, sources }: EffectOf<'fetch-state'>): void {
    this.#ownSync?.fetch(offer, sources);
  }

  handleStateSync(peer: PeerId, payload: Uint8Array): void {
    this.#ownSync?.handleMessage(peer, payload);
  }

  close(): void {
    this.#snapshotter?.close();
    this.#ownSync?.close();
    this.#slices.close();
    this.#reverts.tell(undefined);
  }

  /**
   * Here is what the side that won had committed, and what its leader had when it was elected. A side that this member
   * founded since, cut off again, is another one.
   */
  get #hasCaughtUp(): boolean {
    const { state, log } = this.#init.core;
    const { applied } = this;
    if (applied < state.commit || !(state.caughtUp || state.role === 'leader')) return false;
    if (state.epoch === undefined || !sameEpoch(log.epochAt(applied), state.epoch)) return false;
    if (sameEpoch(state.side, this.#winner?.side)) return true;
    return log.runsUpTo(applied).some(({ epoch }) => sameEpoch(epoch, this.#winner?.epoch));
  }

  #tell(reverted: Reverted<C>): void {
    const { node, handleReverted } = this.#init;
    handleReverted(reverted);
    try {
      node.handleReverted?.(reverted);
    } catch (error) {
      // Code of the application: the member goes on, or has to close.
      node.components.logger.error({ error }, 'what was to be told of a revert failed');
    }
  }

  get #witness(): boolean {
    return this.#init.core.state.config.witness === true;
  }

  #createSnapshotter(): Snapshotter | undefined {
    const { core, input, handleFailure } = this.#init;
    const { machine, components, compaction: options, preference } = this.#init.node;
    const kept = preference === 'witness' || machine.stateSync?.().keepsLog;
    if (!machine.snapshot || !machine.restore || kept) return undefined;
    return new Snapshotter({
      log: core.log,
      clock: components.clock,
      options: compaction(options),
      take: () => machine.snapshot?.() ?? [],
      handleTaken: (snapshot) => input({ type: 'snapshot', snapshot }),
      handleFailure,
    });
  }
}
