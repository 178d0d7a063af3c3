import type { StateOffer, StateSync, StateSyncHost, StateTransfer } from '@mosaik/raft';
import { bool, bytes, fixedBytes, type PeerId, struct, UniqueId, variants } from '@mosaik/wire';

/**
 * A way to transfer state that is not the library's: the member that is behind asks one other, which pushes everything
 * it has without waiting to be asked for each part. If that one cannot, the next is asked; if nobody can, the library
 * fetches the snapshot itself.
 */
export function pushedState(): StateSync {
  return {
    signature: UniqueId.from('example/state-sync/pushed/1'),
    open: (host) => new PushedState(host),
  };
}

const PART_BYTES = 64 * 1024;

const Message = variants('PushedStateMessage', {
  Wanted: { digest: fixedBytes(32) },
  Part: struct('Part', { bytes: bytes({ max: PART_BYTES }), last: bool }),
  Gone: null,
});

class PushedState implements StateTransfer {
  readonly #host: StateSyncHost;
  #wanted: { offer: StateOffer; from: PeerId | undefined; rest: PeerId[]; parts: Uint8Array[] } | undefined;

  constructor(host: StateSyncHost) {
    this.#host = host;
  }

  fetch(offer: StateOffer, sources: readonly PeerId[]): void {
    this.#wanted = { offer, from: undefined, rest: [...sources], parts: [] };
    this.#askNext();
  }

  handleMessage(from: PeerId, payload: Uint8Array): void {
    const message = Message.decode(payload);
    if (message.type === 'Wanted') {
      this.#push(from, message.digest);
    } else if (this.#wanted?.from !== from) {
      return;
    } else if (message.type === 'Gone') {
      this.#askNext();
    } else {
      const { offer, parts } = this.#wanted;
      parts.push(message.value.bytes);
      if (!message.value.last) return;
      this.#wanted = undefined;
      this.#host.deliver(offer, parts);
    }
  }

  close(): void {
    this.#wanted = undefined;
  }

  #askNext(): void {
    const { offer, rest } = this.#wanted ?? { rest: [] };
    const next = rest.shift();
    if (!this.#wanted || !offer) return;
    this.#wanted.from = next;
    this.#wanted.parts = [];
    if (next === undefined) this.#host.deliver(offer, undefined);
    else if (!this.#host.send(next, Message.encode({ type: 'Wanted', digest: offer.digest })))
      this.#askNext();
  }

  #push(to: PeerId, digest: Uint8Array): void {
    const held = this.#host.held();
    if (!held?.digest.every((byte, i) => byte === digest[i])) {
      this.#host.send(to, Message.encode({ type: 'Gone' }));
      return;
    }
    const parts = held.chunks.flatMap(cut);
    if (parts.length === 0) parts.push(new Uint8Array());
    for (const [i, part] of parts.entries()) {
      const last = i === parts.length - 1;
      if (!this.#host.send(to, Message.encode({ type: 'Part', value: { bytes: part, last } }))) return;
    }
  }
}

function cut(chunk: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < chunk.length; at += PART_BYTES) parts.push(chunk.subarray(at, at + PART_BYTES));
  return parts;
}
