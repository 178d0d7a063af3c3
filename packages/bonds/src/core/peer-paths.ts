import { CloseCode } from '@mosaik/wire';

/** Two processes with one identity are refused for so long. */
const DUPLICATE_HOLD_MS = 60_000;
/** Incarnations that are remembered as replaced: more processes than that under one key go unnoticed. */
const MAX_REPLACED = 8;

/** One proven connection to a peer. */
export interface Path {
  /** Its number. */
  readonly connection: number;
  /** This side initiated it. */
  readonly dialled: boolean;
  readonly incarnation: bigint;
}

/** What a connection is closed with. */
export interface Refusal {
  readonly code: number;
  readonly reason: string;
}

export type PathEffect =
  /** The bond is now `to` in place of `from`; undefined: none. */
  | { type: 'bond'; from: number | undefined; to: number | undefined }
  | ({ type: 'close'; connection: number } & Refusal)
  | { type: 'duplicate-identity' };

const ALREADY_BONDED: Refusal = {
  code: CloseCode.AlreadyBonded,
  reason: 'a bond between these peers exists',
};
const REPLACED: Refusal = { code: CloseCode.AlreadyBonded, reason: 'replaced by a newer bond' };
const DUPLICATE: Refusal = { code: CloseCode.NotAllowed, reason: 'duplicate identity' };

/** The proven connections to one peer, and which of them is the bond (protocol: Simultaneous dials, A peer that came back). */
export class PeerPaths {
  readonly #isLower: boolean;
  readonly #handshakeTimeoutMs: number;
  #live: Path | undefined;
  #provenMs = 0;
  /** An older connection, kept until it is sure that the other side chose `live`. */
  #spare: { readonly path: Path; readonly dropMs: number } | undefined;
  #replaced: readonly bigint[] = [];
  #duplicateUntilMs: number | undefined;

  /** `isLower`: this side has the lower peer id, and so decides between dials that crossed. */
  constructor(init: { isLower: boolean; handshakeTimeoutMs: number }) {
    this.#isLower = init.isLower;
    this.#handshakeTimeoutMs = init.handshakeTimeoutMs;
  }

  /** The connection that is the bond. */
  get live(): number | undefined {
    return this.#live?.connection;
  }

  /** When the bond was proven. */
  get provenMs(): number {
    return this.#provenMs;
  }

  /** Whether anything is remembered that must outlive the connections. */
  get isSuspect(): boolean {
    return this.#duplicateUntilMs !== undefined;
  }

  nextDeadlineMs(): number | undefined {
    return this.#spare?.dropMs;
  }

  /** What a proven connection would be refused with; undefined when it would become the bond. Changes nothing. */
  refusal({ dialled, incarnation }: Omit<Path, 'connection'>, nowMs: number): Refusal | undefined {
    if (this.#duplicateUntilMs !== undefined && nowMs < this.#duplicateUntilMs) return DUPLICATE;
    const live = this.#live;
    // One arbiter, the lower peer, so that the two sides cannot choose differently: it keeps what it dialled itself.
    const keepsLive =
      live && this.#isLower && live.dialled && !dialled && this.#crossed(live, incarnation, nowMs);
    return keepsLive ? ALREADY_BONDED : undefined;
  }

  handleProven(path: Path, nowMs: number): PathEffect[] {
    const refusal = this.refusal(path, nowMs);
    if (refusal) return [close(path, refusal)];
    this.#duplicateUntilMs = undefined;
    if (this.#replaced.includes(path.incarnation)) return this.#refuseDuplicates(path, nowMs);
    const effects = this.#displaceLive(path, nowMs);
    effects.push({ type: 'bond', from: this.#live?.connection, to: path.connection });
    this.#live = path;
    this.#provenMs = nowMs;
    return effects;
  }

  handleLost(connection: number): PathEffect[] {
    const spare = this.#spare?.path;
    if (spare?.connection === connection) this.#spare = undefined;
    if (this.#live?.connection !== connection) return [];
    this.#live = spare;
    this.#spare = undefined;
    return [{ type: 'bond', from: connection, to: spare?.connection }];
  }

  handleTick(nowMs: number): PathEffect[] {
    if (!this.#spare || nowMs < this.#spare.dropMs) return [];
    const { path } = this.#spare;
    this.#spare = undefined;
    return [close(path, REPLACED)];
  }

  /** Nobody dials a peer that it is bonded with: a bond that is older, or of another incarnation, is dead over there. */
  #crossed(live: Path, incarnation: bigint, nowMs: number): boolean {
    return live.incarnation === incarnation && nowMs - this.#provenMs < this.#handshakeTimeoutMs;
  }

  #displaceLive({ incarnation }: Path, nowMs: number): PathEffect[] {
    const effects: PathEffect[] = [];
    const live = this.#live;
    if (!live) return effects;
    if (this.#spare) effects.push(close(this.#spare.path, REPLACED));
    this.#spare = undefined;
    if (live.incarnation !== incarnation)
      this.#replaced = [...this.#replaced, live.incarnation].slice(-MAX_REPLACED);
    if (!this.#isLower && this.#crossed(live, incarnation, nowMs))
      this.#spare = { path: live, dropMs: nowMs + this.#handshakeTimeoutMs };
    else effects.push(close(live, REPLACED));
    return effects;
  }

  /** An incarnation that was replaced is back: processes that share a key replace each other in turn. */
  #refuseDuplicates(path: Path, nowMs: number): PathEffect[] {
    this.#replaced = [];
    this.#duplicateUntilMs = nowMs + DUPLICATE_HOLD_MS;
    const all = [this.#spare?.path, this.#live, path].filter((each) => each !== undefined);
    return [{ type: 'duplicate-identity' }, ...all.map((each) => close(each, DUPLICATE))];
  }
}

function close({ connection }: Path, { code, reason }: Refusal): PathEffect {
  return { type: 'close', connection, code, reason };
}
