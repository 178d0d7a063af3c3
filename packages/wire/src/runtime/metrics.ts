/**
 * Metrics as a port. Names are dotted (`mosaik.groups.bonds.active`); labels are few and bounded.
 * An implementation must accept the same name any number of times and must not throw.
 */
export interface Metrics {
  /** Adds `by` (default 1) to a counter. */
  count(name: string, labels?: Readonly<Record<string, string>>, by?: number): void;
  /** Sets a gauge. */
  gauge(name: string, value: number, labels?: Readonly<Record<string, string>>): void;
  /** Records one observation, in the unit that the name ends with (`…_ms`, `…_bytes`). */
  observe(name: string, value: number, labels?: Readonly<Record<string, string>>): void;
}

export const silentMetrics: Metrics = { count() {}, gauge() {}, observe() {} };
