import type { StoredSnapshot } from '@mosaik/raft';
import { SnapshotEnvelope, safeU64, str, struct } from '@mosaik/wire';
import { concat, holdSnapshot } from '../../src/core/snapshot.ts';
import type { Cluster } from './cluster.ts';
import type { SimNode } from './sim-node.ts';

const State = struct('State', { hash: str(), commands: safeU64 });

/** The applied state as it is, for the core a little later, as a machine that gives it in parts would. */
export function takeSnapshot(cluster: Cluster, node: SimNode, index: number): void {
  const epoch = node.core.log.epochAt(index);
  if (!epoch) throw cluster.checker.fail(node, `takes a snapshot at ${index}, which is not in its log`);
  const { hash, commands, life } = node;
  const sessions = cluster.init.sessions ? node.sessions.encode() : new Uint8Array();
  const envelope = SnapshotEnvelope.encode(node.core.log.envelopeAt(index, sessions));
  const snapshot = holdSnapshot({ index, epoch, envelope, chunks: [State.encode({ hash, commands })] });
  cluster.after(cluster.chance(0.5) ? 0 : cluster.int(50), () => {
    if (node.life === life) cluster.input(node, { type: 'snapshot', snapshot });
  });
}

export function restoreSnapshot(node: SimNode, snapshot: StoredSnapshot | undefined): void {
  const bytes = snapshot?.chunks.reduce((sum, { length }) => sum + length, 0) ?? 0;
  const state = bytes > 0 ? State.decode(concat(snapshot?.chunks ?? [], bytes)) : { hash: '', commands: 0 };
  node.hash = state.hash;
  node.commands = state.commands;
  node.applied = snapshot?.index ?? 0;
  node.admitted = undefined;
  node.sessions.restore(snapshot ? SnapshotEnvelope.decode(snapshot.envelope).sessions : new Uint8Array());
}
