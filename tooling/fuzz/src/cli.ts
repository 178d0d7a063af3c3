import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { checkDecode } from './codec-check.ts';
import { Coverage } from './coverage.ts';
import { type FuzzOptions, type FuzzResult, fuzzCodecs } from './fuzz-codecs.ts';
import { MAX_INPUT_BYTES } from './mutator.ts';
import { fuzzQuic, type QuicFuzzOptions } from './quic.ts';
import { fuzzTls, type TlsFuzzOptions } from './tls.ts';
import { wireSubjects } from './wire-subjects.ts';

/** Longest that one input may take. */
const HANG_MS = 10_000;
const targets = ['wire', 'quic', 'tls'] as const;

const usage = `usage: pnpm fuzz [TARGET] [--seconds N] [--inputs N] [--seed N]
       pnpm fuzz wire --guided [...]
       pnpm fuzz wire --replay NAME:HEX
  TARGET       ${targets.join(', ')}; default: wire
  --seconds N  how long; default 30
  --inputs N   stop after so many inputs
  --seed N     decides every input; default: drawn from the clock
  --guided     keeps the inputs that run code which none before ran, by the engine's coverage
  --replay     checks one input, as a failure printed it`;

/** What the fuzzing thread writes and the watching one reads: inputs so far, codec, length, then the input. */
const BOARD_WORDS = 3;

export async function main(argv: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv.filter((argument) => argument !== '--'),
    allowPositionals: true,
    options: {
      seconds: { type: 'string', default: '30' },
      inputs: { type: 'string' },
      seed: { type: 'string' },
      replay: { type: 'string' },
      guided: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const [target = 'wire', ...more] = positionals;
  const seconds = parseCount(values.seconds);
  const inputs = values.inputs === undefined ? undefined : parseCount(values.inputs);
  const seed = parseCount(values.seed ?? String(Date.now() % 1_000_000_000));
  if (values.help || more.length > 0 || !targets.some((name) => name === target)) {
    console.log(usage);
    return values.help ? 0 : 2;
  }
  if (seconds === undefined || seed === undefined || (values.inputs !== undefined && inputs === undefined)) {
    console.error('fuzz: --seconds, --inputs and --seed take whole numbers');
    return 2;
  }
  if (values.guided && target !== 'wire') {
    console.error(`fuzz: --guided is for wire, not for ${target}`);
    return 2;
  }
  if (target === 'quic') return runQuic({ seed, inputs, seconds });
  if (target === 'tls') return runTls({ seed, inputs, seconds });
  if (values.replay !== undefined) return replay(values.replay);

  const startedMs = performance.now();
  const result = await watched({ seed, inputs, seconds, guided: values.guided });
  const tookS = (performance.now() - startedMs) / 1000;
  const share = ((result.accepted / Math.max(1, result.inputs)) * 100).toFixed(1);
  console.log(
    `fuzz ${target}: seed ${seed}, ${result.inputs} inputs in ${tookS.toFixed(1)} s, ${share} % of them decoded` +
      (result.seenBytes === undefined ? '' : `, ${result.seenBytes} characters of code ran`),
  );
  if (!result.failure) return 0;
  const { subject, problem, hex } = result.failure;
  console.log(
    `${subject}: ${problem}\n  input  ${hex}\n  replay pnpm fuzz ${target} --replay ${subject}:${hex}`,
  );
  return 1;
}

async function runQuic(options: QuicFuzzOptions): Promise<number> {
  const { inputs, roundTrips, dials, failedDials, failure } = await fuzzQuic(options);
  console.log(
    `fuzz quic: seed ${options.seed}, ${inputs} datagrams, ${roundTrips} round trips of live connections, ` +
      `${dials} dials, ${failedDials} more ended with a code`,
  );
  if (!failure) return 0;
  console.log(`${failure.problem}, after these datagrams:\n  ${failure.datagrams.join('\n  ')}`);
  return 1;
}

function runTls(options: TlsFuzzOptions): number {
  const { inputs, survived, failure } = fuzzTls(options);
  console.log(
    `fuzz tls: seed ${options.seed}, ${inputs} streams of records, ${survived} connections lived on`,
  );
  if (!failure) return 0;
  console.log(`${failure.problem}\n  the last input ${failure.hex}`);
  return 1;
}

function replay(text: string): number {
  const [name, hex = ''] = text.split(':');
  const subject = wireSubjects().find((candidate) => candidate.name === name);
  if (!subject) {
    console.error(`fuzz: no codec ${name}`);
    return 2;
  }
  const { accepted, problem } = checkDecode(subject.name, subject.codec, Buffer.from(hex, 'hex'));
  console.log(
    `${name}: ${problem ?? (accepted ? 'decodes, and encodes as it was' : 'refused as it should be')}`,
  );
  return problem === undefined ? 0 : 1;
}

/** Runs the fuzzer in a thread of its own, so that an input that never ends is seen. */
async function watched(options: WatchedOptions): Promise<WatchedResult> {
  const board = new SharedArrayBuffer(4 * BOARD_WORDS + MAX_INPUT_BYTES);
  const worker = new Worker(new URL(import.meta.url), { workerData: { board, options } });
  const words = new Int32Array(board, 0, BOARD_WORDS);
  return new Promise((resolve, reject) => {
    let last = 0;
    const timer = setInterval(() => {
      const inputs = Atomics.load(words, 0);
      if (inputs !== last || inputs === 0) {
        last = inputs;
        return;
      }
      clearInterval(timer);
      const input = new Uint8Array(board, 4 * BOARD_WORDS, words[2]);
      const subject = wireSubjects()[words[1] ?? 0]?.name ?? '';
      const problem = `does not end within ${HANG_MS / 1000} s`;
      resolve({
        inputs,
        accepted: 0,
        failure: { subject, problem, hex: Buffer.from(input).toString('hex') },
      });
      void worker.terminate();
    }, HANG_MS);
    worker.once('message', (result: WatchedResult) => {
      clearInterval(timer);
      resolve(result);
    });
    worker.once('error', (error) => {
      clearInterval(timer);
      reject(error);
    });
  });
}

interface WatchedOptions extends FuzzOptions {
  guided: boolean;
}

interface WatchedResult extends FuzzResult {
  /** Guided: how much code ran. */
  seenBytes?: number | undefined;
}

interface Work {
  board: SharedArrayBuffer;
  options: WatchedOptions;
}

if (!isMainThread) {
  // Most inputs are refused, and a stack costs more than the decode.
  Error.stackTraceLimit = 0;
  const { board, options } = workerData as Work;
  const words = new Int32Array(board, 0, BOARD_WORDS);
  const shown = new Uint8Array(board, 4 * BOARD_WORDS);
  const onInput = (subject: number, input: Uint8Array) => {
    words[1] = subject;
    words[2] = input.length;
    shown.set(input);
    Atomics.add(words, 0, 1);
  };
  // The bundle is all that there is of ours.
  const coverage = options.guided ? Coverage.start((url) => url === import.meta.url) : undefined;
  const result = fuzzCodecs(wireSubjects(), { ...options, coverage, onInput });
  coverage?.stop();
  parentPort?.postMessage({ ...result, seenBytes: coverage?.seenBytes });
}

function parseCount(text: string): number | undefined {
  const count = Number(text);
  return Number.isSafeInteger(count) && count >= 0 ? count : undefined;
}
