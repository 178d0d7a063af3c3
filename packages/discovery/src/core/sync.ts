import {
  type CatalogDigestEntry,
  CloseCode,
  comparePeerEntryVersions,
  MAX_SYNC_ENTRIES_BYTES,
  MAX_SYNC_FRAME_BYTES,
  type NetworkId,
  type PeerId,
  SignedPeerEntry,
  SyncMessage,
  WireError,
} from '@mosaik/wire';

/** Entries go in frames of about this size, so that neither side holds all of them encoded. */
const BATCH_BYTES = 64 * 1024;
/** What the codec allows in one frame. */
const BATCH_ENTRIES = 1024;

/** What an exchange may see of the catalog, the own entry included. */
export interface SyncView {
  digest(): readonly CatalogDigestEntry[];
  entry(peer: PeerId): SignedPeerEntry | undefined;
  lacks(item: CatalogDigestEntry): boolean;
}

export interface SyncInit {
  readonly initiator: boolean;
  readonly networkId: NetworkId;
  readonly view: SyncView;
}

export type SyncInput =
  /** The link is up; the initiator speaks first. */
  | { readonly type: 'opened' }
  | { readonly type: 'frame'; readonly frame: Uint8Array }
  /** What was sent has left: there is room for the next. */
  | { readonly type: 'sent' };

export type SyncEffect =
  | { readonly type: 'send'; readonly frame: Uint8Array }
  /** The peer proved to be of this network: larger frames are fine from now on. */
  | { readonly type: 'frame-limit'; readonly bytes: number }
  | { readonly type: 'received'; readonly entry: SignedPeerEntry }
  /** Nothing is left to do on this side; `close` follows on the initiator, the acceptor waits for it. */
  | { readonly type: 'completed' }
  | { readonly type: 'close'; readonly code: number; readonly reason: string };

type Phase = 'start' | 'digest' | 'request' | 'entries' | 'completed' | 'closed';

/** One exchange of differences between two catalogs: network, digest, differences in both directions. */
export class SyncExchange {
  readonly #init: SyncInit;
  readonly #effects: SyncEffect[] = [];
  /** What the other side expects next. */
  #phase: Phase;
  #outgoing: PeerId[] | undefined;
  #sentBytes = 0;
  #sentLast = false;
  #sending = false;
  #receivedBytes = 0;
  #receivedLast = false;

  constructor(init: SyncInit) {
    this.#init = init;
    this.#phase = init.initiator ? 'digest' : 'start';
  }

  handle(input: SyncInput): void {
    if (this.#phase === 'closed') return;
    switch (input.type) {
      case 'opened':
        if (this.#init.initiator) this.#send({ type: 'Start', networkId: this.#init.networkId });
        return;
      case 'sent':
        this.#sending = false;
        this.#maybeSendEntries();
        return;
      case 'frame':
        this.#handleFrame(input.frame);
    }
  }

  drain(): readonly SyncEffect[] {
    return this.#effects.splice(0);
  }

  #handleFrame(frame: Uint8Array): void {
    let message: SyncMessage;
    try {
      message = SyncMessage.decode(frame);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#close(CloseCode.ProtocolViolation, error.message);
      return;
    }
    if (message.type === 'Start' && this.#phase === 'start') this.#handleStart(message.networkId);
    else if (message.type === 'Digest' && this.#phase === 'digest') this.#handleDigest(message);
    else if (message.type === 'Request' && this.#phase === 'request') this.#handleRequest(message.peers);
    else if (message.type === 'Entries' && this.#phase === 'entries' && !this.#receivedLast) {
      this.#handleEntries(message, frame.length);
    } else this.#close(CloseCode.ProtocolViolation, `${message.type} is out of order`);
  }

  #handleStart(networkId: NetworkId): void {
    if (!this.#isSameNetwork(networkId)) return;
    this.#phase = 'request';
    this.#send({ type: 'Digest', networkId, versions: [...this.#init.view.digest()] });
  }

  #handleDigest({ networkId, versions }: SyncMessage & { type: 'Digest' }): void {
    if (!this.#isSameNetwork(networkId)) return;
    this.#phase = 'entries';
    const { view } = this.#init;
    const theirs = new Map(versions.map((item) => [item.peerId, item]));
    this.#send({
      type: 'Request',
      peers: versions.filter((item) => view.lacks(item)).map(({ peerId }) => peerId),
    });
    this.#outgoing = view
      .digest()
      .filter((item) => {
        const held = theirs.get(item.peerId);
        return !held || comparePeerEntryVersions(item.version, held.version) > 0;
      })
      .map(({ peerId }) => peerId);
    this.#maybeSendEntries();
  }

  #handleRequest(peers: readonly PeerId[]): void {
    this.#phase = 'entries';
    this.#outgoing = [...new Set(peers)];
    this.#maybeSendEntries();
  }

  #handleEntries({ entries, last }: SyncMessage & { type: 'Entries' }, bytes: number): void {
    this.#receivedBytes += bytes;
    // The sender counts entries alone; framing adds little, but something.
    if (this.#receivedBytes > MAX_SYNC_ENTRIES_BYTES + 64 * 1024) {
      this.#close(CloseCode.ProtocolViolation, `more than ${MAX_SYNC_ENTRIES_BYTES} bytes of entries`);
      return;
    }
    for (const entry of entries) this.#effects.push({ type: 'received', entry });
    this.#receivedLast = last;
    this.#maybeSendEntries();
    this.#maybeComplete();
  }

  #maybeSendEntries(): void {
    if (this.#phase !== 'entries' || this.#sending || this.#sentLast || !this.#outgoing) return;
    const { entries, left } = this.#nextBatch(this.#outgoing);
    const last = !left;
    // The acceptor's last frame acknowledges all of the initiator's.
    const mayEnd = this.#init.initiator || this.#receivedLast;
    if (entries.length === 0 && !(last && mayEnd)) return;
    this.#sentLast = last && mayEnd;
    this.#send({ type: 'Entries', entries, last: this.#sentLast });
    this.#maybeComplete();
  }

  #nextBatch(outgoing: PeerId[]): { entries: SignedPeerEntry[]; left: boolean } {
    const entries: SignedPeerEntry[] = [];
    let bytes = 0;
    while (outgoing.length > 0 && bytes < BATCH_BYTES && entries.length < BATCH_ENTRIES) {
      const peer = outgoing.pop();
      const entry = peer && this.#init.view.entry(peer);
      if (!entry) continue;
      const size = SignedPeerEntry.encode(entry).length;
      if (this.#sentBytes + size > MAX_SYNC_ENTRIES_BYTES) {
        outgoing.length = 0;
        break;
      }
      this.#sentBytes += size;
      bytes += size;
      entries.push(entry);
    }
    return { entries, left: outgoing.length > 0 };
  }

  #maybeComplete(): void {
    if (this.#phase !== 'entries' || !this.#sentLast || !this.#receivedLast) return;
    this.#phase = 'completed';
    this.#effects.push({ type: 'completed' });
    if (this.#init.initiator) this.#close(CloseCode.Success, 'in sync');
  }

  #isSameNetwork(networkId: NetworkId): boolean {
    if (networkId === this.#init.networkId) {
      this.#effects.push({ type: 'frame-limit', bytes: MAX_SYNC_FRAME_BYTES });
      return true;
    }
    this.#close(CloseCode.DifferentNetwork, 'another network');
    return false;
  }

  #send(message: SyncMessage): void {
    this.#sending = true;
    this.#effects.push({ type: 'send', frame: SyncMessage.encode(message) });
  }

  #close(code: number, reason: string): void {
    this.#phase = 'closed';
    this.#effects.push({ type: 'close', code, reason });
  }
}
