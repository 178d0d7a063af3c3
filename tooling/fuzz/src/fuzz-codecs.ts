import type { Codec } from '@mosaik/wire';
import { checkDecode, toHex } from './codec-check.ts';
import type { Coverage } from './coverage.ts';
import { createMutator, type Mutator } from './mutator.ts';

/** A codec under test and valid encodings to start from. */
export interface Subject {
  name: string;
  codec: Codec<unknown>;
  seeds: readonly Uint8Array[];
}

export interface FuzzOptions {
  seed: number;
  /** Stops after so many inputs; default: none. */
  inputs?: number | undefined;
  /** Stops after so long; default: none. */
  seconds?: number | undefined;
  /** Keeps inputs that run code which none before ran, beside some of those that decode. */
  coverage?: Coverage | undefined;
  /** Sees every input before it is decoded. */
  onInput?: ((subject: number, input: Uint8Array) => void) | undefined;
}

export interface FuzzResult {
  inputs: number;
  /** Inputs that decoded. */
  accepted: number;
  failure?: { subject: string; problem: string; hex: string } | undefined;
}

/** Most inputs that are kept for each codec because they decoded: they lead deeper than the seeds. */
const MAX_KEPT = 256;
/** Inputs between two looks at what ran: a look takes as long as hundreds of them. */
const BATCH = 512;

interface Input {
  /** Of the codec. */
  readonly index: number;
  readonly bytes: Uint8Array;
}

/** Puts changed encodings to every codec in turn, until one of them misbehaves or the time is over. */
export function fuzzCodecs(subjects: readonly Subject[], options: FuzzOptions): FuzzResult {
  const { coverage, onInput } = options;
  const mutator = createMutator(options.seed);
  const corpora = subjects.map(({ seeds }) => new Corpus(seeds, mutator));
  const most = options.inputs ?? Number.POSITIVE_INFINITY;
  const endMs = performance.now() + (options.seconds ?? Number.POSITIVE_INFINITY) * 1000;
  const result: FuzzResult = { inputs: 0, accepted: 0 };

  /** Whether it decoded. */
  const check = ({ index, bytes }: Input): boolean => {
    const { name, codec } = subjects[index] as Subject;
    onInput?.(index, bytes);
    const { accepted, problem } = checkDecode(name, codec, bytes);
    if (problem !== undefined) result.failure ??= { subject: name, problem, hex: toHex(bytes) };
    return accepted;
  };
  const checkAll = (batch: readonly Input[]) => {
    for (const input of batch) {
      if (result.failure) return;
      result.inputs += 1;
      if (!check(input)) continue;
      result.accepted += 1;
      if (mutator.below(16) === 0) corpora[input.index]?.keep(input.bytes);
    }
  };

  /** Finds those of a batch with something new by halves. */
  const keepNew = (batch: readonly Input[], coverage: Coverage): void => {
    if (batch.length === 0) return;
    const [only] = batch.length === 1 ? batch : [];
    if (!coverage.isNew(() => batch.forEach(check), { account: only !== undefined })) return;
    if (only) {
      corpora[only.index]?.hold(only.bytes);
      return;
    }
    const half = batch.length >> 1;
    keepNew(batch.slice(0, half), coverage);
    keepNew(batch.slice(half), coverage);
  };

  const seeds = corpora.flatMap(({ inputs }, index) => inputs.map((bytes) => ({ index, bytes })));
  // What they run is not new.
  coverage?.isNew(() => seeds.forEach(check), { account: true });
  while (result.inputs < most && performance.now() < endMs && !result.failure) {
    const batch = Array.from({ length: Math.min(BATCH, most - result.inputs) }, (_, i) => {
      const index = (result.inputs + i) % subjects.length;
      return { index, bytes: mutator.next((corpora[index] as Corpus).inputs).slice() };
    });
    if (!coverage) checkAll(batch);
    else if (coverage.isNew(() => checkAll(batch), { account: false })) keepNew(batch, coverage);
  }
  return result;
}

/** What inputs of one codec are made of: those that are held, then those that make room for others. */
class Corpus {
  readonly inputs: Uint8Array[];
  readonly #mutator: Mutator;
  #held: number;

  constructor(seeds: readonly Uint8Array[], mutator: Mutator) {
    this.inputs = [new Uint8Array(0), ...seeds];
    this.#held = this.inputs.length;
    this.#mutator = mutator;
  }

  /** For good: there is only so much code to run. */
  hold(input: Uint8Array): void {
    this.inputs.splice(this.#held, 0, input);
    this.#held += 1;
  }

  keep(input: Uint8Array): void {
    if (this.inputs.length < this.#held + MAX_KEPT) this.inputs.push(input);
    else this.inputs[this.#held + this.#mutator.below(MAX_KEPT)] = input;
  }
}
