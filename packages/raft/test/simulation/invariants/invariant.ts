import type { LogWrite } from '@mosaik/raft';
import type { LogEntry, RaftEpoch, RaftMember, RaftMessage } from '@mosaik/wire';
import type { Effect } from '../../../src/core/effect.ts';
import { sameEpoch } from '../../../src/core/epoch.ts';
import type { Input } from '../../../src/core/input.ts';
import type { Checker } from '../checker.ts';
import type { Cluster } from '../cluster.ts';
import type { Call, Read, SimNode } from '../sim-node.ts';

/** A rule that must hold at every moment: it sees what it hooks, and throws `checker.fail(...)`. */
export interface Invariant {
  /** A core was created over what its store kept. */
  handleStart?(node: SimNode): void;
  /** A crash took the store too. */
  handleForgotten?(node: SimNode): void;
  /** Before a core handles it. */
  handleInput?(node: SimNode, input: Input): void;
  /** After every input of a core, and after the effects of every drain. */
  handleStep?(node: SimNode): void;
  /** After all effects of a turn: nothing of them is outstanding. */
  handleTurn?(node: SimNode): void;
  /** A write was handed to the store, which is not durable yet. */
  handleWrite?(node: SimNode, write: LogWrite): void;
  /** For each entry of a write, at its place. */
  handleEntry?(node: SimNode, index: number, entry: LogEntry): void;
  handleSend?(from: SimNode, to: SimNode, message: RaftMessage): void;
  handleApplied?(node: SimNode, index: number): void;
  handleReverted?(node: SimNode, effect: Extract<Effect, { type: 'revert' }>): void;
  /** A client sent a command; it ends with `handleAcked`, `handleRefused`, or nobody ever knows. */
  handleSent?(call: Call): void;
  handleAcked?(node: SimNode, call: Call): void;
  /** For certain not committed, ever. */
  handleRefused?(node: SimNode, call: Call): void;
  /** A client asked for a strong read, which may never be answered. */
  handleAsked?(read: Read): void;
  handleRead?(node: SimNode, read: Read): void;
  /** Everything is whole and agrees. */
  handleQuiet?(): void;
}

export type CreateInvariant = (checker: Checker, cluster: Cluster) => Invariant;

const epochNames = new WeakMap<RaftEpoch, string>();

/** An epoch as a key, `''` for none: asked for at every step, so written out once. */
export function keyOfEpoch(epoch: RaftEpoch | undefined): string {
  if (!epoch) return '';
  let key = epochNames.get(epoch);
  if (key === undefined) {
    key = epoch.nonce.toString(16);
    epochNames.set(epoch, key);
  }
  return key;
}

/** The side that a member takes part in, as a key. */
export function sideOf(node: SimNode): string {
  return keyOfEpoch(node.core.state.side);
}

/** Whether a member of a set holds that very entry durably, in the store of the incarnation that is named. */
export function holds(checker: Checker, member: RaftMember, index: number, node: SimNode): boolean {
  return sameEpoch(checker.storeOf(member)?.log.epochAt(index), node.core.log.epochAt(index));
}
