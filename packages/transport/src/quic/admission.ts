import { randomBytes } from 'node:crypto';
import type { HostPort } from '../shared/address.ts';
import { idKey, type LongHeader, OWN_ID_BYTES } from './packet-header.ts';
import { RetryTokens } from './retry-token.ts';

/** From so many on, a client first proves that it receives at its address. */
const RETRY_FROM_HALF_OPEN = 64;

/** `originalId` after a retry: the client then knows us by `id` already. */
export interface Accepted {
  type: 'accept';
  id: Buffer;
  originalId: Buffer | null;
  routes: string[];
}

export type Verdict = { type: 'refuse' } | { type: 'retry'; id: Buffer; token: Buffer } | Accepted;

/** Decides about first packets of strangers. */
export class Admission {
  readonly #tokens = new RetryTokens();
  readonly #retryFrom: number;

  constructor(retryFromHalfOpen = RETRY_FROM_HALF_OPEN) {
    this.#retryFrom = retryFromHalfOpen;
  }

  /** `halfOpen`: the handshakes that strangers have not finished now. */
  judge(header: LongHeader, source: HostPort, halfOpen: number, wallMs: number): Verdict {
    const name = `${source.host} ${source.port}`;
    if (header.token.length > 0) {
      const originalId = this.#tokens.parse(name, header.token, header.dcid, wallMs);
      if (!originalId) return { type: 'refuse' };
      const id = Buffer.from(header.dcid);
      return { type: 'accept', id, originalId, routes: [idKey(id)] };
    }
    const id = randomBytes(OWN_ID_BYTES);
    if (halfOpen >= this.#retryFrom) {
      return { type: 'retry', id, token: this.#tokens.create(name, header.dcid, id, wallMs) };
    }
    return { type: 'accept', id, originalId: null, routes: [idKey(id), idKey(header.dcid)] };
  }
}
