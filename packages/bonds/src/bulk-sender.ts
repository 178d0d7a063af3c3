import type { Connection, Link } from '@mosaik/transport';

/** The outbound bulk link of a bond; frames that come before it is open wait here. */
export class BulkSender {
  readonly #connection: Connection;
  readonly #onFailed: (error: unknown) => void;
  #link: Link | undefined;
  readonly #backlog: Uint8Array[] = [];
  #backlogBytes = 0;

  /** `onFailed` is called when the link cannot be opened: what waited is lost. */
  constructor(connection: Connection, onFailed: (error: unknown) => void) {
    this.#connection = connection;
    this.#onFailed = onFailed;
  }

  /** Bytes written and not yet taken by the transport. */
  get queuedBytes(): number {
    return this.#link?.queuedBytes ?? this.#backlogBytes;
  }

  /** May be called once. */
  async open(): Promise<void> {
    try {
      const link = await this.#connection.openLink();
      for (const frame of this.#backlog) link.write(frame);
      this.#link = link;
    } catch (error) {
      this.#onFailed(error);
    } finally {
      this.#backlog.length = 0;
      this.#backlogBytes = 0;
    }
  }

  /** Queues a frame, borrowed and not to be changed afterwards. */
  write(frame: Uint8Array): void {
    if (this.#link) {
      this.#link.write(frame);
      return;
    }
    this.#backlog.push(frame);
    this.#backlogBytes += frame.length;
  }
}
