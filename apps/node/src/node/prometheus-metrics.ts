import type { Metrics } from '@mosaik/wire/runtime';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

type Labels = Readonly<Record<string, string>>;
type Instrument = Counter | Gauge | Histogram;

const MS_BUCKETS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];
const BYTES_BUCKETS = [64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 16_777_216];
/** A metric that grows more series than this is a mistake of ours; what comes after is dropped. */
const MAX_SERIES = 1000;

/** The `Metrics` port on a Prometheus registry: dots become underscores, counters end in `_total`. */
export class PrometheusMetrics implements Metrics {
  readonly registry = new Registry();
  readonly #instruments = new Map<
    string,
    { instrument: Instrument; labels: string[]; series: Set<string> }
  >();

  /** `process: true` adds what prom-client knows of any Node process. */
  constructor(options: { process: boolean }) {
    if (options.process) collectDefaultMetrics({ register: this.registry });
  }

  count(name: string, labels: Labels = {}, by = 1): void {
    const use = this.#use(`${metricName(name)}_total`, labels, (init) => new Counter(init));
    if (use?.instrument instanceof Counter && by >= 0) use.instrument.inc(use.labels, by);
  }

  gauge(name: string, value: number, labels: Labels = {}): void {
    const use = this.#use(metricName(name), labels, (init) => new Gauge(init));
    if (use?.instrument instanceof Gauge) use.instrument.set(use.labels, value);
  }

  observe(name: string, value: number, labels: Labels = {}): void {
    const buckets = name.endsWith('bytes') ? BYTES_BUCKETS : MS_BUCKETS;
    const use = this.#use(metricName(name), labels, (init) => new Histogram({ ...init, buckets }));
    if (use?.instrument instanceof Histogram) use.instrument.observe(use.labels, value);
  }

  /** The instrument, with labels in the set that it was first used with: its kind of metric knows no other. */
  #use(
    name: string,
    given: Labels,
    create: (init: { name: string; help: string; labelNames: string[]; registers: Registry[] }) => Instrument,
  ): { instrument: Instrument; labels: Record<string, string> } | undefined {
    let entry = this.#instruments.get(name);
    if (!entry) {
      if (this.registry.getSingleMetric(name)) return undefined;
      const labels = Object.keys(given).map(labelName);
      const instrument = create({ name, help: name, labelNames: labels, registers: [this.registry] });
      entry = { instrument, labels, series: new Set() };
      this.#instruments.set(name, entry);
    }
    const byName = new Map(Object.entries(given).map(([key, value]) => [labelName(key), value]));
    const labels = Object.fromEntries(entry.labels.map((label) => [label, byName.get(label) ?? '']));
    const series = JSON.stringify(Object.values(labels));
    if (!entry.series.has(series)) {
      if (entry.series.size >= MAX_SERIES) return undefined;
      entry.series.add(series);
    }
    return { instrument: entry.instrument, labels };
  }
}

function metricName(name: string): string {
  return name.replace(/[^A-Za-z0-9_:]/g, '_');
}

function labelName(name: string): string {
  return name.replace(/[^A-Za-z0-9_]/g, '_');
}
