import {
  describeHeaderProblem,
  MAX_CONTROL_BYTES,
  RECORD_HEADER_BYTES,
  RecordType,
  readU32,
} from './records.ts';

/** One record, or a part of one that carries data. Views on what was pushed, or until the next call. */
export interface ParsedRecord {
  type: number;
  link: number;
  payload: Uint8Array;
  /** What is wrong with its header. */
  problem: string | undefined;
}

const NOTHING = new Uint8Array(0);

/** Cuts pushed bytes into records. Holds at most one control record; data is handed on as it arrives. */
export class RecordReader {
  /** The record handed out: one object, used again. */
  readonly #record: ParsedRecord = { type: 0, link: 0, payload: NOTHING, problem: undefined };
  readonly #partial = new Uint8Array(RECORD_HEADER_BYTES + MAX_CONTROL_BYTES);
  #partialBytes = 0;
  /** Bytes of the data record under way that have not arrived. */
  #dataLeft = 0;
  #bytes: Uint8Array = NOTHING;
  #at = 0;
  #stopped = false;

  /** Adds bytes, borrowed until `next` gave undefined. */
  push(bytes: Uint8Array): void {
    if (this.#stopped) return;
    this.#bytes = bytes;
    this.#at = 0;
  }

  /** Ignores everything from here on. */
  stop(): void {
    this.#stopped = true;
    this.#bytes = NOTHING;
    this.#at = 0;
  }

  next(): ParsedRecord | undefined {
    const bytes = this.#bytes;
    const record = this.#record;
    if (this.#at === bytes.length) return undefined;
    if (this.#dataLeft === 0) {
      const header = this.#take(RECORD_HEADER_BYTES);
      if (!header) return undefined;
      const word = readU32(header.bytes, header.at);
      record.type = word >>> 24;
      record.link = readU32(header.bytes, header.at + 4);
      const length = word & 0xff_ffff;
      record.problem = describeHeaderProblem(record.type, length, record.link);
      record.payload = NOTHING;
      if (record.problem !== undefined) return record;
      if (record.type !== RecordType.data) {
        const whole = this.#take(RECORD_HEADER_BYTES + length);
        if (!whole) return undefined;
        record.payload = whole.bytes.subarray(
          whole.at + RECORD_HEADER_BYTES,
          whole.at + RECORD_HEADER_BYTES + length,
        );
        this.#drop(RECORD_HEADER_BYTES + length);
        return record;
      }
      this.#drop(RECORD_HEADER_BYTES);
      this.#dataLeft = length;
      if (this.#at === bytes.length) return undefined;
    }
    const end = Math.min(this.#at + this.#dataLeft, bytes.length);
    record.payload = bytes.subarray(this.#at, end);
    this.#dataLeft -= end - this.#at;
    this.#at = end;
    return record;
  }

  /** Where the next `length` bytes are in one piece; undefined while some are missing, which are then kept. */
  #take(length: number): { bytes: Uint8Array; at: number } | undefined {
    if (this.#partialBytes === 0 && this.#bytes.length - this.#at >= length)
      return { bytes: this.#bytes, at: this.#at };
    const missing = Math.max(0, length - this.#partialBytes);
    const part = this.#bytes.subarray(this.#at, this.#at + missing);
    this.#partial.set(part, this.#partialBytes);
    this.#partialBytes += part.length;
    this.#at += part.length;
    return this.#partialBytes >= length ? { bytes: this.#partial, at: 0 } : undefined;
  }

  /** The first `length` bytes were used. */
  #drop(length: number): void {
    if (this.#partialBytes > 0) this.#partialBytes = 0;
    else this.#at += length;
  }
}
