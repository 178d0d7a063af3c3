import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

const TAG_BYTES = 16;
const TIME_BYTES = 6;
const LIFETIME_MS = 10_000;

/**
 * Tokens that prove that a client receives at the address it sends from (RFC 9000 §8.1.2). Nothing is stored: a token
 * carries the client's first destination id and the time, under a key of this process.
 */
export class RetryTokens {
  readonly #key = randomBytes(32);

  create(address: string, originalId: Uint8Array, retryId: Uint8Array, nowMs: number): Buffer {
    const body = Buffer.alloc(TIME_BYTES + originalId.length);
    body.writeUIntBE(Math.floor(nowMs), 0, TIME_BYTES);
    body.set(originalId, TIME_BYTES);
    return Buffer.concat([this.#tag(address, retryId, body), body]);
  }

  /** The client's first destination id, or undefined for a token that is not ours, not its, or too old. */
  parse(address: string, token: Buffer, retryId: Uint8Array, nowMs: number): Buffer | undefined {
    if (token.length < TAG_BYTES + TIME_BYTES) return undefined;
    const body = token.subarray(TAG_BYTES);
    if (!timingSafeEqual(this.#tag(address, retryId, body), token.subarray(0, TAG_BYTES))) return undefined;
    if (nowMs - body.readUIntBE(0, TIME_BYTES) > LIFETIME_MS) return undefined;
    return Buffer.from(body.subarray(TIME_BYTES));
  }

  #tag(address: string, retryId: Uint8Array, body: Uint8Array): Buffer {
    const mac = createHmac('sha256', this.#key).update(`${address}\n`).update(retryId).update(body);
    return mac.digest().subarray(0, TAG_BYTES);
  }
}
