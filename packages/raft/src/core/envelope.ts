import { type RaftRun, SnapshotEnvelope } from '@mosaik/wire';
import { sameEpoch } from './epoch.ts';

/** What is wrong with an envelope that decodes; undefined when it can be installed. */
export function describeEnvelopeFault(envelope: SnapshotEnvelope): string | undefined {
  const { epoch, index, runs, membersIndex, lastCommand } = envelope;
  if (index < 1) return 'it stands for no entry';
  if (!runs.every((run, i) => run.first > (runs[i - 1]?.first ?? 0))) return 'its runs are out of order';
  const last: RaftRun | undefined = runs.at(-1);
  if (!last || !sameEpoch(last.epoch, epoch) || last.first > index) return 'its runs do not end at its entry';
  if (membersIndex > index || lastCommand > index) return 'it tells of entries beyond its own';
  return undefined;
}

/** @throws WireError, or Error for an envelope that contradicts itself. */
export function parseEnvelope(bytes: Uint8Array): SnapshotEnvelope {
  const envelope = SnapshotEnvelope.decode(bytes);
  const fault = describeEnvelopeFault(envelope);
  if (fault) throw new Error(`the envelope of a snapshot is not valid: ${fault}`);
  return envelope;
}
