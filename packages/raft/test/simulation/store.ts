import type { HardState, LogWrite, StoredLog, StoredSnapshot } from '@mosaik/raft';
import { parseEnvelope } from '../../src/core/envelope.ts';
import { RaftLog } from '../../src/core/log.ts';

/** A store whose writes become durable when the simulation says so: what is not, a crash forgets. */
export class SimStore {
  hardState: HardState | undefined;
  snapshot: StoredSnapshot | undefined;
  readonly log = new RaftLog();
  readonly #pending: { seq: number; write: LogWrite }[] = [];
  /** Where the log ends once all writes are durable. */
  #last = 0;

  /** Gives the index of the last entry before those that it appends. */
  write(seq: number, write: LogWrite): number {
    this.#pending.push({ seq, write });
    const { reset, truncateTo = Number.POSITIVE_INFINITY, snapshot, append = [] } = write;
    const before = Math.min(reset ? (snapshot?.index ?? 0) : this.#last, truncateTo);
    this.#last = append.reduce((last, { entries }) => last + entries.length, before);
    return before;
  }

  /** Makes all writes up to `seq` durable. */
  sync(seq: number): void {
    while (this.#pending[0] && this.#pending[0].seq <= seq) {
      const { write } = this.#pending.shift() as { write: LogWrite };
      if (write.hardState) this.hardState = write.hardState;
      if (write.reset) {
        this.log.reset();
        this.snapshot = undefined;
      }
      if (write.truncateTo !== undefined) this.log.truncateTo(write.truncateTo);
      if (write.snapshot) {
        this.snapshot = write.snapshot;
        if (write.reset) this.log.install(parseEnvelope(write.snapshot.envelope));
      }
      if (write.compactTo !== undefined) this.log.compactTo(write.compactTo);
      for (const run of write.append ?? []) this.log.append(run.epoch, run.entries);
    }
  }

  /** The process is gone: of what was not synced yet, some oldest part may have reached the disk all the same. */
  crash(survives: (count: number) => number): void {
    const last = this.#pending[survives(this.#pending.length + 1) - 1];
    if (last) this.sync(last.seq);
    this.#drop();
  }

  /** What is durable now, as it stays; for reading only. */
  copy(): SimStore {
    const copy = new SimStore();
    copy.hardState = this.hardState;
    copy.snapshot = this.snapshot;
    const { base, last } = this.log;
    if (base > 0) copy.log.install(this.log.envelopeAt(base, new Uint8Array()));
    for (const { epoch, entries } of this.log.range(base + 1, last)) copy.log.append(epoch, entries);
    return copy;
  }

  /** What a restart finds. */
  reopen(): StoredLog | undefined {
    this.#drop();
    const { hardState, snapshot } = this;
    if (!hardState) return undefined;
    const { base, last } = this.log;
    return { hardState, snapshot, base, runs: this.log.range(base + 1, last) };
  }

  #drop(): void {
    this.#pending.length = 0;
    this.#last = this.log.last;
  }
}
