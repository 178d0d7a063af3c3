import { randomBytes } from 'node:crypto';
import { idKey, type LongHeader, OWN_ID_BYTES } from './packet-header.ts';
import { RetryTokens } from './retry-token.ts';

/** Unfinished inbound handshakes from one address, and in all. */
const MAX_HALF_OPEN_PER_ADDRESS = 128;
const MAX_HALF_OPEN = 1024;
/** From so many on, a client first proves that it receives at its address. */
const RETRY_FROM_HALF_OPEN = 64;

export type Verdict =
  | { type: 'refuse' }
  | { type: 'retry'; id: Buffer; token: Buffer }
  /** `originalId` after a retry: the client then knows us by `id` already. */
  | { type: 'accept'; id: Buffer; originalId: Buffer | null; routes: string[] };

/** Decides about first packets of strangers, and counts the handshakes that they leave unfinished. */
export class Admission {
  readonly #tokens = new RetryTokens();
  readonly #byAddress = new Map<string, number>();
  #total = 0;
  readonly #retryFrom: number;

  constructor(retryFromHalfOpen = RETRY_FROM_HALF_OPEN) {
    this.#retryFrom = retryFromHalfOpen;
  }

  judge(header: LongHeader, host: string, port: number, wallMs: number): Verdict {
    const fromAddress = this.#byAddress.get(host) ?? 0;
    if (this.#total >= MAX_HALF_OPEN || fromAddress >= MAX_HALF_OPEN_PER_ADDRESS) return { type: 'refuse' };
    const name = `${host} ${port}`;
    if (header.token.length > 0) {
      const originalId = this.#tokens.parse(name, header.token, header.dcid, wallMs);
      if (!originalId) return { type: 'refuse' };
      const id = Buffer.from(header.dcid);
      return { type: 'accept', id, originalId, routes: [idKey(id)] };
    }
    const id = randomBytes(OWN_ID_BYTES);
    if (this.#total >= this.#retryFrom) {
      return { type: 'retry', id, token: this.#tokens.create(name, header.dcid, id, wallMs) };
    }
    return { type: 'accept', id, originalId: null, routes: [idKey(id), idKey(header.dcid)] };
  }

  /** A handshake began. */
  enter(host: string): void {
    this.#byAddress.set(host, (this.#byAddress.get(host) ?? 0) + 1);
    this.#total += 1;
  }

  /** It is over, either way. */
  leave(host: string): void {
    const left = (this.#byAddress.get(host) ?? 0) - 1;
    if (left > 0) this.#byAddress.set(host, left);
    else this.#byAddress.delete(host);
    this.#total -= 1;
  }
}
