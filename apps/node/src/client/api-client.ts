import type { PeerId } from '@mosaik/wire';
import { CommandError } from '../cli/command-error.ts';
import { describeError } from '../cli/describe-error.ts';
import type { LeaderBody, NodeStatus, PeerDescription, VotersBody } from '../http/node-status.ts';

/** For a change of the voters, which may have to wait for one to catch up: more than a node waits. */
const CHANGE_TIMEOUT_MS = 260_000;

export interface ApiClientInit {
  /** As `http://127.0.0.1:7480`. */
  readonly url: string;
  readonly token?: string | undefined;
  /** Default 20 000. */
  readonly timeoutMs?: number | undefined;
}

export interface KvOptions {
  readonly consistency?: 'weak' | 'strong' | undefined;
  readonly minIndex?: number | undefined;
  readonly cas?: number | undefined;
}

export interface KvAnswer {
  readonly value: Uint8Array;
  /** The log entry that wrote the key: what to pass as `cas`. */
  readonly index: number;
}

/** A client of a node's HTTP API. Everything that fails rejects with a `CommandError` of one line. */
export class ApiClient {
  readonly url: string;
  readonly #token: string | undefined;
  readonly #timeoutMs: number;

  constructor(init: ApiClientInit) {
    this.url = init.url;
    this.#token = init.token;
    this.#timeoutMs = init.timeoutMs ?? 20_000;
  }

  async status(): Promise<NodeStatus> {
    return (await this.#json('/v1/status')) as NodeStatus;
  }

  async peers(): Promise<readonly PeerDescription[]> {
    return ((await this.#json('/v1/peers')) as { peers: PeerDescription[] }).peers;
  }

  async leader(): Promise<LeaderBody> {
    const response = await this.#fetch('/v1/leader');
    if (response.status !== 200 && response.status !== 503) throw await refusal(response);
    return (await response.json()) as LeaderBody;
  }

  /** Hands leadership over; resolves with who leads then. */
  async transferLeadership(to?: PeerId): Promise<LeaderBody> {
    return (await this.#json('/v1/leader/transfer', jsonRequest('POST', { to }))) as LeaderBody;
  }

  async voters(): Promise<VotersBody> {
    return (await this.#json('/v1/voters')) as VotersBody;
  }

  async addVoter(peer: PeerId): Promise<VotersBody> {
    return (await this.#json('/v1/voters', jsonRequest('POST', { peer }), CHANGE_TIMEOUT_MS)) as VotersBody;
  }

  async removeVoter(peer: PeerId): Promise<VotersBody> {
    return (await this.#json(`/v1/voters/${peer}`, { method: 'DELETE' }, CHANGE_TIMEOUT_MS)) as VotersBody;
  }

  /** Undefined when there is no such key. */
  async get(key: string, options: KvOptions = {}): Promise<KvAnswer | undefined> {
    const response = await this.#fetch(kvPath(key, options));
    if (response.status === 404) {
      await response.arrayBuffer();
      return undefined;
    }
    if (!response.ok) throw await refusal(response);
    const index = Number(response.headers.get('x-index'));
    return { value: new Uint8Array(await response.arrayBuffer()), index };
  }

  /** The index of the log entry that wrote the key. */
  put(key: string, value: Uint8Array, options: KvOptions = {}): Promise<number> {
    return this.#write('PUT', key, options, value);
  }

  delete(key: string, options: KvOptions = {}): Promise<number> {
    return this.#write('DELETE', key, options);
  }

  async #write(method: string, key: string, options: KvOptions, body?: Uint8Array): Promise<number> {
    const response = await this.#fetch(kvPath(key, options), {
      method,
      ...(body ? { body: Buffer.from(body) } : {}),
    });
    if (!response.ok) throw await refusal(response);
    return ((await response.json()) as { index: number }).index;
  }

  async #json(path: string, init?: RequestInit, timeoutMs?: number): Promise<unknown> {
    const response = await this.#fetch(path, init, timeoutMs);
    if (!response.ok) throw await refusal(response);
    return response.json();
  }

  async #fetch(path: string, init: RequestInit = {}, timeoutMs = this.#timeoutMs): Promise<Response> {
    try {
      return await fetch(new URL(path, this.url), {
        ...init,
        headers: this.#token ? { authorization: `Bearer ${this.#token}` } : {},
        signal: AbortSignal.timeout(timeoutMs),
      });
    } catch (error) {
      const problem =
        error instanceof DOMException && error.name === 'TimeoutError'
          ? `no answer within ${timeoutMs} ms`
          : describeError(error);
      throw new CommandError(`${this.url}: ${problem}`, { cause: error });
    }
  }
}

function jsonRequest(method: string, body: unknown): RequestInit {
  return { method, body: JSON.stringify(body) };
}

function kvPath(key: string, options: KvOptions): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined) query.set(name, String(value));
  }
  const search = query.toString();
  return `/v1/kv/${encodeURIComponent(key)}${search ? `?${search}` : ''}`;
}

async function refusal(response: Response): Promise<CommandError> {
  const text = (await response.text()).slice(0, 2000);
  let said = text;
  try {
    const body = JSON.parse(text) as { error?: unknown; message?: unknown };
    if (typeof body.message === 'string') said = `${body.message} (${body.error})`;
  } catch {
    // Not our server's kind of answer: show it as it is.
  }
  return new CommandError(`${new URL(response.url).origin}: ${response.status} ${said}`);
}
