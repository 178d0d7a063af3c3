import type { SignedPeerEntry } from '@mosaik/wire';
import type { Timer } from '@mosaik/wire/runtime';
import type { ResolvedInit } from './options.ts';

/** How long changes gather before they are saved. */
const SAVE_DELAY_MS = 1_000;

/** Saves the peer book some time after it changed, one save at a time. */
export class PeerBookKeeper {
  readonly #options: Pick<ResolvedInit, 'peerBook' | 'clock' | 'logger'>;
  readonly #entries: () => readonly SignedPeerEntry[];
  #timer: Timer | undefined;
  #saving: Promise<void> | undefined;
  #closed = false;

  constructor(
    options: Pick<ResolvedInit, 'peerBook' | 'clock' | 'logger'>,
    entries: () => readonly SignedPeerEntry[],
  ) {
    this.#options = options;
    this.#entries = entries;
  }

  /** What should be saved changed. */
  touch(): void {
    if (this.#closed || this.#timer || !this.#options.peerBook) return;
    this.#timer = this.#options.clock.schedule(SAVE_DELAY_MS, () => {
      this.#timer = undefined;
      void this.#save();
    });
  }

  /** Saves a last time. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.cancel();
    await this.#save();
  }

  async #save(): Promise<void> {
    const { peerBook, logger } = this.#options;
    if (!peerBook) return;
    while (this.#saving) await this.#saving;
    this.#saving = peerBook.save(this.#entries()).catch((error: Error) => {
      logger.warn({ error: error.message }, 'the peer book was not saved');
    });
    await this.#saving;
    this.#saving = undefined;
  }
}
