import { createDigester, type Digester, SnapshotEnvelope } from '@mosaik/wire';
import type { Clock, Timer } from '@mosaik/wire/runtime';
import type { Compaction } from './compaction.ts';
import { entryBytes, type RaftLog } from './core/log.ts';
import { concat, type HeldSnapshot } from './core/snapshot.ts';

/** Small parts of a snapshot are joined up to this size, which is also how much is asked of the machine at a time. */
const PART_BYTES = 256 * 1024;

export interface SnapshotterInit {
  readonly log: RaftLog;
  readonly clock: Clock;
  readonly options: Compaction;
  /** The machine's `snapshot`. */
  readonly take: () => Uint8Array | Iterable<Uint8Array>;
  readonly handleTaken: (snapshot: HeldSnapshot) => void;
  readonly handleFailure: (error: unknown) => void;
}

/**
 * Says when to take a snapshot, and takes it part by part.
 *
 * Where depends on nothing but the log since the last one and its size: so members with the same options take theirs at
 * the same indexes, and whoever needs one can fetch it from several of them.
 */
export class Snapshotter {
  readonly #init: SnapshotterInit;
  /** Since the last snapshot. */
  #entries = 0;
  #bytes = 0;
  /** Of the last snapshot: a large one is due less often, so that their cost per command stays the same. */
  #lastBytes = 0;
  #due = false;
  #under: Undertaking | undefined;

  constructor(init: SnapshotterInit) {
    this.#init = init;
  }

  /** How far to apply before `handleApplied` is called: to the next place for a snapshot, at most to `to`. */
  stopAt(applied: number, to: number): number {
    const { log, options } = this.#init;
    for (let index = applied + 1; index <= to; index += 1) {
      const entry = log.entryAt(index);
      this.#entries += 1;
      this.#bytes += entry ? entryBytes(entry) : 0;
      const much = this.#entries >= options.snapshotAfterEntries || this.#bytes >= options.snapshotAfterBytes;
      if (!much) continue;
      // Its size has a say, on every member alike: so it is done now.
      this.#under?.finish();
      if (this.#bytes < this.#lastBytes) continue;
      this.#due = true;
      return index;
    }
    return to;
  }

  /** The machine has applied up to `index`, which `stopAt` gave. */
  handleApplied(index: number, sessions: () => Uint8Array): void {
    if (!this.#due) return;
    this.#restart(0);
    const envelope = this.#init.log.envelopeAt(index, sessions());
    const under = new Undertaking(this.#init, envelope, (snapshot) => {
      this.#under = undefined;
      this.#lastBytes = snapshot.bytes;
      this.#init.handleTaken(snapshot);
    });
    this.#under = under;
    under.step();
  }

  /** The applied state was replaced by a snapshot of `bytes`, 0 for none. */
  handleRestored(bytes: number): void {
    this.close();
    this.#restart(bytes);
  }

  close(): void {
    this.#under?.cancel();
    this.#under = undefined;
  }

  #restart(lastBytes: number): void {
    this.#entries = 0;
    this.#bytes = 0;
    this.#lastBytes = lastBytes;
    this.#due = false;
  }
}

/** One snapshot on its way. */
class Undertaking {
  readonly #init: SnapshotterInit;
  readonly #envelope: SnapshotEnvelope;
  readonly #encoded: Uint8Array;
  readonly #done: (snapshot: HeldSnapshot) => void;
  readonly #parts: Iterator<Uint8Array>;
  readonly #chunks: Uint8Array[] = [];
  readonly #digester: Digester;
  #bytes: number;
  #timer: Timer | undefined;

  constructor(init: SnapshotterInit, envelope: SnapshotEnvelope, done: (snapshot: HeldSnapshot) => void) {
    this.#init = init;
    this.#envelope = envelope;
    this.#encoded = SnapshotEnvelope.encode(envelope);
    this.#done = done;
    const taken = init.take();
    this.#parts = (taken instanceof Uint8Array ? [taken] : taken)[Symbol.iterator]();
    this.#digester = createDigester().update(this.#encoded);
    this.#bytes = this.#encoded.length;
  }

  /** One part now, the others when the event loop has had its turn. */
  step(): void {
    if (!this.#pull()) return;
    this.#timer = this.#init.clock.schedule(0, () => {
      try {
        this.step();
      } catch (error) {
        this.#init.handleFailure(error);
      }
    });
  }

  finish(): void {
    this.cancel();
    while (this.#pull());
  }

  cancel(): void {
    this.#timer?.cancel();
  }

  /** False when that was the last. */
  #pull(): boolean {
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    while (bytes < PART_BYTES) {
      const next = this.#parts.next();
      if (next.done) {
        this.#add(pieces, bytes);
        const { epoch, index } = this.#envelope;
        this.#done({
          index,
          epoch,
          envelope: this.#encoded,
          chunks: this.#chunks,
          bytes: this.#bytes,
          digest: this.#digester.digest(),
        });
        return false;
      }
      pieces.push(next.value);
      bytes += next.value.length;
    }
    this.#add(pieces, bytes);
    return true;
  }

  #add(pieces: readonly Uint8Array[], bytes: number): void {
    if (bytes === 0) return;
    const chunk = pieces.length === 1 && pieces[0] ? pieces[0] : concat(pieces, bytes);
    this.#chunks.push(chunk);
    this.#digester.update(chunk);
    this.#bytes += bytes;
  }
}
