import type { LogEntry } from '@mosaik/wire';
import { entryBytes } from '../../../src/core/log.ts';
import type { CreateInvariant } from './invariant.ts';

/** Nothing that is sent, or waits to be, is larger than its bound; only a run of commands, which is never torn, may be. */
export const bounds: CreateInvariant = (checker) => ({
  handleSend(from, _, { body }) {
    const { maxAppendEntries, maxAppendBytes, syncRangeEntries, syncChunkBytes } =
      from.core.state.config.limits;
    switch (body.type) {
      case 'Append': {
        const entries = body.entries.flatMap((run) => run.entries);
        if (isOneRun(entries)) return;
        const bytes = entries.reduce((sum, entry) => sum + entryBytes(entry), 0);
        if (entries.length > maxAppendEntries || bytes > maxAppendBytes)
          throw checker.fail(from, `appends ${entries.length} entries, ${bytes} bytes, at once`);
        return;
      }
      case 'Range': {
        const count = body.entries.reduce((sum, { entries }) => sum + entries.length, 0);
        if (count > syncRangeEntries) throw checker.fail(from, `sends a range of ${count} entries`);
        return;
      }
      case 'Chunk':
        if (body.bytes.length > syncChunkBytes)
          throw checker.fail(from, `sends ${body.bytes.length} bytes of a snapshot at once`);
    }
  },
  handleTurn(node) {
    const { leadership, reads, forwards, config } = node.core.state;
    const { maxInflightAppends, maxReads, maxForwardBytes } = config.limits;
    if (reads.size > maxReads) throw checker.fail(node, `keeps ${reads.size} reads`);
    if (forwards.bytes > maxForwardBytes) throw checker.fail(node, `keeps ${forwards.bytes} forwarded bytes`);
    if (!leadership) return;
    for (const { inflightCount } of leadership.progress.values())
      if (inflightCount > maxInflightAppends)
        throw checker.fail(node, `has ${inflightCount} appends on the way to one follower`);
  },
});

function isOneRun(entries: readonly LogEntry[]): boolean {
  return entries.every(({ type }, i) => type === 'CommandMore' || i === entries.length - 1);
}
