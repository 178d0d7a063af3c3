import { getHeapStatistics } from 'node:v8';
import { type Codec, WireError } from '@mosaik/wire';

/**
 * Most memory that a decode takes, for each byte of its input and beside it, its result included. The widest are
 * empty byte strings: one byte of input is a view of about a hundred bytes and its place in an array.
 */
export const MOST_BYTES_PER_BYTE = 256;
export const MOST_BYTES_BESIDE = 16 * 1024;

export interface Checked {
  /** What is wrong; undefined when nothing is. */
  problem?: string | undefined;
  accepted: boolean;
}

/**
 * What must hold of every input: it is refused with a `WireError` that points into it, or it is the encoding of the
 * value that it decodes to; and neither takes more memory than its size allows.
 */
export function checkDecode(name: string, codec: Codec<unknown>, input: Uint8Array): Checked {
  const before = usedBytes();
  let value: unknown;
  try {
    value = codec.decode(input);
  } catch (error) {
    return {
      accepted: false,
      problem: refusalProblem(name, input, error) ?? memoryProblem(codec, input, before),
    };
  }
  const problem = memoryProblem(codec, input, before) ?? encodingProblem(codec, input, value);
  return { accepted: true, problem };
}

function refusalProblem(name: string, input: Uint8Array, error: unknown): string | undefined {
  if (!(error instanceof WireError)) return `decode throws ${describe(error)}`;
  if (!(error.offset >= 0 && error.offset <= input.length))
    return `the refusal's offset ${error.offset} is outside of the input: ${error.message}`;
  if (!error.path.startsWith(name)) return `the refusal's path does not start with ${name}: ${error.message}`;
  return undefined;
}

function encodingProblem(codec: Codec<unknown>, input: Uint8Array, value: unknown): string | undefined {
  let encoded: Uint8Array;
  try {
    encoded = codec.encode(value);
  } catch (error) {
    return `encode refuses what decode gave: ${describe(error)}`;
  }
  return sameBytes(encoded, input) ? undefined : `decodes, but is encoded as ${toHex(encoded)}`;
}

function memoryProblem(codec: Codec<unknown>, input: Uint8Array, before: number): string | undefined {
  const most = MOST_BYTES_PER_BYTE * input.length + MOST_BYTES_BESIDE;
  let least = usedBytes() - before;
  // The engine compiles and learns now and then, and that counts as well: what the input costs, it costs every time.
  for (let i = 0; i < 5 && least > most; i += 1) {
    const start = usedBytes();
    try {
      codec.decode(input);
    } catch {
      // Seen above.
    }
    least = Math.min(least, usedBytes() - start);
  }
  return least > most
    ? `decode takes ${least} bytes of memory for ${input.length} bytes, more than ${most}`
    : undefined;
}

/** Below zero after a garbage collection, which only misses what happened since. */
function usedBytes(): number {
  const { used_heap_size, external_memory } = getHeapStatistics();
  return used_heap_size + external_memory;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false;
  return true;
}

function describe(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
}
