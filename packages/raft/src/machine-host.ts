import type { PeerId } from '@mosaik/wire';
import { Applier } from './applier.ts';
import { ApplySlices } from './apply-slices.ts';
import type { Calls } from './calls.ts';
import { compaction } from './compaction.ts';
import type { Input } from './core/input.ts';
import type { RaftCore } from './core/raft-core.ts';
import type { NodeEffect } from './driver.ts';
import type { RaftNodeInit } from './node-init.ts';
import { OwnStateSync } from './own-state-sync.ts';
import { describeReverted, type Reverted } from './reverted.ts';
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
  readonly handleFailure: (error: unknown) => void;
}

/** The state machine of one member: what it applies, its snapshots, and how it goes back when its side lost. */
export class MachineHost<C, Q, R, O> {
  readonly #init: MachineHostInit<C, Q, R, O>;
  readonly #applier: Applier<C, Q, R, O>;
  readonly #slices: ApplySlices;
  readonly #snapshotter: Snapshotter | undefined;
  readonly #ownSync: OwnStateSync | undefined;
  /** In this turn. */
  readonly #reverted: Reverted<C>[] = [];

  constructor(init: MachineHostInit<C, Q, R, O>) {
    const { core, calls, life, input, handleApplied, handleFailure } = init;
    const { machine, components, groupId, networkId, localId, config } = init.node;
    this.#init = init;
    this.#snapshotter = this.#createSnapshotter();
    this.#ownSync = OwnStateSync.open(machine.stateSync?.(), { core, components, input });
    this.#applier = new Applier({
      machine,
      log: core.log,
      snapshotter: this.#snapshotter,
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

  /** Went back, and nobody was told yet. */
  get reverting(): boolean {
    return this.#reverted.length > 0;
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
  revert(effect: EffectOf<'revert'>): Reverted<C> | undefined {
    const { machine } = this.#init.node;
    const reverted = describeReverted(effect, this.applied, (bytes) => machine.command.decode(bytes));
    this.#init.calls.handleReverted();
    this.#applier.rewindTo(effect.to);
    this.#slices.rewindTo(effect.to);
    if (reverted) this.#reverted.push(reverted);
    return reverted;
  }

  /** At the end of a turn, when the machine is back to what both sides had. */
  tellReverted(): void {
    for (const reverted of this.#reverted.splice(0)) this.#init.node.handleReverted?.(reverted);
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
