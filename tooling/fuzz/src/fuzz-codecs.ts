import type { Codec } from '@mosaik/wire';
import { checkDecode, toHex } from './codec-check.ts';
import { createMutator } from './mutator.ts';

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

/** Puts changed encodings to every codec in turn, until one of them misbehaves or the time is over. */
export function fuzzCodecs(subjects: readonly Subject[], options: FuzzOptions): FuzzResult {
  const mutator = createMutator(options.seed);
  const corpora = subjects.map(({ seeds }) => [new Uint8Array(0), ...seeds]);
  const most = options.inputs ?? Number.POSITIVE_INFINITY;
  const endMs = performance.now() + (options.seconds ?? Number.POSITIVE_INFINITY) * 1000;
  const result: FuzzResult = { inputs: 0, accepted: 0 };
  while (result.inputs < most) {
    if (result.inputs % 1024 === 0 && performance.now() >= endMs) break;
    const index = result.inputs % subjects.length;
    const { name, codec, seeds } = subjects[index] as Subject;
    const corpus = corpora[index] as Uint8Array[];
    const input = mutator.next(corpus);
    options.onInput?.(index, input);
    result.inputs += 1;
    const { accepted, problem } = checkDecode(name, codec, input);
    if (problem !== undefined) return { ...result, failure: { subject: name, problem, hex: toHex(input) } };
    if (!accepted) continue;
    result.accepted += 1;
    if (mutator.below(16) !== 0) continue;
    if (corpus.length < MAX_KEPT) corpus.push(input.slice());
    else corpus[1 + seeds.length + mutator.below(MAX_KEPT - 1 - seeds.length)] = input.slice();
  }
  return result;
}
