/** Makes inputs out of earlier ones, the same from the same seed. */
export interface Mutator {
  /** A changed copy of one of `corpus`, or a splice of two. Borrowed until the next call. */
  next(corpus: readonly Uint8Array[]): Uint8Array;
  /** Uniform in [0, below). */
  below(below: number): number;
}

/** Longest input. */
export const MAX_INPUT_BYTES = 8 * 1024;

/** Bytes at which readings of integers, lengths, tags and UTF-8 change. */
const EDGES = [0, 1, 2, 3, 0x7f, 0x80, 0x81, 0xc0, 0xed, 0xf4, 0xfe, 0xff];
/** Varints of lengths and numbers that a decoder must not believe. */
const VARINTS = [
  [0xff, 0xff, 0xff, 0xff, 0x0f],
  [0x80, 0x80, 0x80, 0x80, 0x10],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
  [0x80, 0x80, 0x40],
  [0x80, 0x00],
  [0x80, 0x01],
].map((bytes) => Uint8Array.from(bytes));

export function createMutator(seed: number): Mutator {
  const below = random(seed);
  // Twice the limit: a change is made first and cut to size afterwards.
  let current = new Uint8Array(2 * MAX_INPUT_BYTES);
  let other = new Uint8Array(2 * MAX_INPUT_BYTES);
  let length = 0;

  const pick = <T>(items: readonly T[]) => items[below(items.length)] as T;

  /** Replaces `removed` bytes at `at` by `inserted`. */
  function replace(at: number, removed: number, inserted: Uint8Array): void {
    const rest = Math.min(at + removed, length);
    const tail = Math.min(length - rest, 2 * MAX_INPUT_BYTES - at - inserted.length);
    other.set(current.subarray(0, at));
    other.set(inserted, at);
    other.set(current.subarray(rest, rest + tail), at + inserted.length);
    [current, other] = [other, current];
    length = Math.min(at + inserted.length + tail, MAX_INPUT_BYTES);
  }

  /** Some of the input, from anywhere in it. */
  function chunk(most: number): Uint8Array {
    const at = below(length + 1);
    return current.slice(at, at + 1 + below(Math.min(most, length - at + 1)));
  }

  function mutate(corpus: readonly Uint8Array[]): void {
    const at = below(length + 1);
    switch (below(12)) {
      case 0:
        if (at < length) current[at] = (current[at] as number) ^ (1 << below(8));
        break;
      case 1:
        if (at < length) current[at] = below(256);
        break;
      case 2:
        if (at < length) current[at] = pick(EDGES);
        break;
      case 3:
        replace(at, 1, pick(VARINTS));
        break;
      case 4:
        replace(at, 0, Uint8Array.of(pick(EDGES)));
        break;
      case 5:
        replace(at, 1 + below(8), new Uint8Array(0));
        break;
      case 6:
        replace(at, 0, chunk(64));
        break;
      case 7:
        length = at;
        break;
      case 8: {
        // The rest of another input: fields of one message in the place of another's.
        const from = pick(corpus);
        replace(at, length, from.subarray(below(from.length + 1), MAX_INPUT_BYTES));
        break;
      }
      case 9: {
        if (at < length) current[at] = ((current[at] as number) + (below(2) === 0 ? 1 : 255)) & 0xff;
        break;
      }
      case 10: {
        // A length, and about as many elements as it says.
        const part = chunk(40);
        const count = 1 + below(below(16) === 0 ? 2000 : 40);
        const prefix = count < 0x80 ? [count] : [(count & 0x7f) | 0x80, count >> 7];
        const copies = Math.min(count, Math.floor(MAX_INPUT_BYTES / part.length));
        const repeated = new Uint8Array(prefix.length + copies * part.length);
        repeated.set(prefix);
        for (let i = 0; i < copies; i += 1) repeated.set(part, prefix.length + i * part.length);
        replace(at, 1, repeated);
        break;
      }
      default:
        replace(
          at,
          0,
          Uint8Array.from({ length: 1 + below(32) }, () => below(256)),
        );
        break;
    }
  }

  return {
    below,
    next(corpus) {
      const start = pick(corpus);
      current.set(start);
      length = start.length;
      for (let changes = 1 + below(1 + below(6)); changes > 0; changes -= 1) mutate(corpus);
      return current.subarray(0, length);
    },
  };
}

/** xorshift32 (Marsaglia 2003): quick rather than good, which is enough to choose changes. */
function random(seed: number): (below: number) => number {
  // Neighbouring seeds start far from each other; zero would stay zero.
  let state = Math.imul(seed ^ 0x9e37_79b9, 0x85eb_ca6b) | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return Math.floor(((state >>> 0) / 2 ** 32) * below);
  };
}
