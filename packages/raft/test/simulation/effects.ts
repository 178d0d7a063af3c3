import type { LogEntry } from '@mosaik/wire';
import type { Effect } from '../../src/core/effect.ts';
import { isCommand } from '../../src/core/log.ts';
import type { Cluster } from './cluster.ts';
import { commandText } from './commands.ts';
import { type Call, isInSession, type SimNode } from './sim-node.ts';
import { restoreSnapshot, takeSnapshot } from './snapshots.ts';

/** Does what a core wants done, as the driver would: a new effect gets its case here. */
export function executeEffect(cluster: Cluster, node: SimNode, effect: Effect): void {
  switch (effect.type) {
    case 'persist':
      persist(cluster, node, effect);
      return;
    case 'send':
      cluster.network.send(node, effect.to, effect.message, effect.lane);
      return;
    case 'apply':
      apply(cluster, node, effect.to);
      node.core.handle({ type: 'applied', to: node.applied }, cluster.localMs(node));
      return;
    case 'restore':
      restoreSnapshot(node, effect.snapshot);
      if (!effect.snapshot) return;
      cluster.installed += 1;
      cluster.checker.handleApplied(node, node.applied);
      return;
    case 'revert':
      revert(cluster, node, effect);
      return;
    case 'accepted':
      accept(cluster, node, effect);
      return;
    case 'refused':
    case 'uncertain':
      for (let id = effect.first; id < effect.first + effect.count; id += 1) {
        const call = node.calls.get(id);
        if (call) {
          call.state = effect.type === 'refused' ? 'failed' : 'unknown';
          if (call.state === 'failed') cluster.checker.handleRefused(node, call);
        }
        node.calls.delete(id);
      }
      return;
    case 'read-ready':
      for (let id = effect.first; id < effect.first + effect.count; id += 1) {
        const read = node.reads.get(id);
        node.reads.delete(id);
        if (read) cluster.checker.handleRead(node, read);
      }
      return;
    case 'read-refused':
      for (let id = effect.first; id < effect.first + effect.count; id += 1) node.reads.delete(id);
      return;
    case 'handed-over':
      node.handedOver = true;
      return;
    case 'turn-again':
      cluster.touch(node);
      return;
    case 'log':
      if (cluster.verbose)
        console.log(Math.round(cluster.nowMs), `n${node.index}`, effect.text, JSON.stringify(effect.fields));
  }
}

function persist(
  cluster: Cluster,
  node: SimNode,
  { seq, write }: Extract<Effect, { type: 'persist' }>,
): void {
  const { life } = node;
  const { maxSyncMs = 0 } = cluster.init;
  cluster.checker.handleWrite(node, write, node.store.write(seq, write));
  const later = (delayMs: number, run: () => void) =>
    cluster.after(delayMs, () => node.alive && node.life === life && run());
  const { durableAtOnce } = node.core.state.config;
  if (durableAtOnce) node.store.sync(seq);
  if (node.failsToSync) {
    // A store says so later: all that the turn wants done is done by then.
    later(0, () => cluster.crash(node, true));
  } else if (!durableAtOnce) {
    later(cluster.rng.float() * maxSyncMs * node.slowSyncs, () => {
      node.store.sync(seq);
      cluster.input(node, { type: 'persisted', seq });
    });
  }
}

function apply(cluster: Cluster, node: SimNode, to: number): void {
  for (let index = node.applied + 1; index <= to; index += 1) {
    const entry = node.core.log.entryAt(index);
    if (!entry) throw cluster.checker.fail(node, `applies ${index} beyond its log`);
    node.applied = index;
    node.admitted = admit(node, index, entry);
    if (isCommand(entry) && node.admitted) {
      node.hash = chain(node.hash, index, entry.value);
      node.commands += 1;
    }
    cluster.checker.handleApplied(node, index);
    const { snapshotEvery } = cluster.init;
    if (snapshotEvery && index % snapshotEvery === 0 && !cluster.isWitness(node))
      takeSnapshot(cluster, node, index);
  }
  for (let i = node.waiting.length - 1; i >= 0; i -= 1) {
    const call = node.waiting[i] as Call;
    if (call.from > node.applied) continue;
    node.waiting.splice(i, 1);
    settle(cluster, node, call);
  }
}

/** Whether a command has its effect, as the applier of a member finds out. */
function admit({ sessions }: SimNode, index: number, entry: LogEntry): boolean {
  if (entry.type === 'Session') sessions.open(index, entry.origin, entry.incarnation);
  if (!isCommand(entry)) return false;
  return !isInSession(entry) || sessions.admit(entry.session, entry.sequence, entry.unacked);
}

/** What the side that is followed now does not have; the machine is restored by the effects that follow. */
function revert(cluster: Cluster, node: SimNode, effect: Extract<Effect, { type: 'revert' }>): void {
  cluster.checker.handleReverted(node, effect);
  for (const entry of effect.lost.flatMap(({ entries }) => entries)) {
    if (isCommand(entry)) node.reverted.push(commandText(entry.value));
  }
  if (effect.to < node.applied) node.sessions.closeAfter(effect.to);
  node.applied = Math.min(node.applied, effect.to);
  for (const call of node.waiting.splice(0)) {
    if (call.from <= effect.to) node.waiting.push(call);
    else call.state = 'unknown';
  }
}

function accept(cluster: Cluster, node: SimNode, effect: Extract<Effect, { type: 'accepted' }>): void {
  for (let i = 0; i < effect.count; i += 1) {
    const call = node.calls.get(effect.first + i);
    node.calls.delete(effect.first + i);
    if (!call) continue;
    call.from = effect.index + i;
    call.nonce = effect.epoch.nonce;
    call.state = 'accepted';
    if (call.from <= node.applied) settle(cluster, node, call);
    else node.waiting.push(call);
  }
}

/** Applied up to its place: the caller is answered if that very entry is there. */
function settle(cluster: Cluster, node: SimNode, call: Call): void {
  if (node.core.log.epochAt(call.from)?.nonce !== call.nonce) {
    call.state = 'unknown';
    return;
  }
  call.state = 'done';
  cluster.acked += 1;
  cluster.checker.handleAcked(node, call);
}

/** A cheap rolling hash: equal exactly when the same commands stood at the same places, but for bad luck. */
function chain(hash: string, index: number, value: Uint8Array): string {
  let h = 0x811c9dc5;
  const mix = (byte: number) => {
    h = Math.imul(h ^ byte, 0x01000193);
  };
  for (let i = 0; i < hash.length; i += 1) mix(hash.charCodeAt(i));
  mix(index & 0xff);
  mix(index >>> 8);
  for (const byte of value) mix(byte);
  return (h >>> 0).toString(16);
}
