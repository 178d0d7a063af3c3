import type { LogWrite } from '../storage/log-storage.ts';
import type { Effect } from './effect.ts';

type Of<T extends Effect['type']> = Extract<Effect, { type: T }>;

/** What the driver is to do once the turn ends: writes first, then everything in the order in which it came about. */
export class Outbox {
  #effects: Effect[] = [];
  /** How many of them are writes: these come first, in order. */
  #writes = 0;
  #changed = true;
  #progressed = false;

  push(effect: Effect): void {
    this.#effects.push(effect);
  }

  pushWrite(seq: number, write: LogWrite): void {
    this.#effects.splice(this.#writes, 0, { type: 'persist', seq, write });
    this.#writes += 1;
  }

  /** The status is another. */
  handleChange(): void {
    this.#changed = true;
  }

  /** How far the log goes, or is committed, is another. */
  handleProgress(): void {
    this.#progressed = true;
  }

  /** The entries that were to be applied in this very turn are no more: whoever waits for them waits for this. */
  restoreInstead(restore: Of<'restore'>): void {
    const effects = this.#effects;
    const from = effects.findLastIndex(({ type }) => type === 'revert') + 1;
    const at = effects.findIndex(({ type }, i) => i >= from && type === 'apply');
    if (at < 0) effects.push(restore);
    else effects[at] = restore;
    this.#effects = effects.filter(({ type }) => type !== 'apply');
  }

  /** What was to be applied in this very turn above `to` is no more, nor is a snapshot that the machine was to become. */
  limitTo(to: number): void {
    this.#effects = this.#effects
      .filter((effect) => effect.type !== 'restore' || (effect.snapshot?.index ?? 0) <= to)
      .map((effect) => (effect.type === 'apply' && effect.to > to ? { type: 'apply', to } : effect));
  }

  /** Everything since the last call. */
  take(): Effect[] {
    if (this.#changed || this.#progressed) this.push({ type: 'state-changed', progress: !this.#changed });
    this.#changed = false;
    this.#progressed = false;
    const effects = this.#effects;
    this.#effects = [];
    this.#writes = 0;
    return effects;
  }
}
