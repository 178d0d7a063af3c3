import type { Rng } from '@mosaik/wire/runtime';

/** What a pipe is for; each stands for a connection of its own, as over QUIC. */
export type PipeKind = 'sync' | 'announce' | 'group';
export type PipeLane = 'control' | 'bulk';

/** One process of a member: what belonged to an earlier one is dropped. */
export interface PipeOwner {
  readonly index: number;
  /** Whether it still is that process. */
  readonly alive: boolean;
  /** Lets it do something now, or once it runs again. */
  run(callback: () => void): void;
}

export interface Scheduler {
  readonly nowMs: number;
  after(delayMs: number, run: () => void): void;
}

export interface PipesInit {
  readonly scheduler: Scheduler;
  readonly rng: Rng;
  /** Largest usual delay one way; the tail is five times as long. */
  readonly maxDelayMs: number;
  /** Packets lost: each loss costs the frames behind it a retransmission. */
  readonly loss: number;
}

const DIAL_TIMEOUT_MS = 3000;
/** A direction from which nothing comes for so long ends the pipe where it is missed. */
const IDLE_MS = 5000;
const RETRANSMIT_MS = 50;

/** One end of a pipe. */
export class PipeEnd {
  readonly kind: PipeKind;
  readonly owner: PipeOwner;
  readonly initiator: boolean;
  readonly remote: number;
  /** Known to both ends only. */
  readonly secret: Uint8Array;
  onFrame: (frame: unknown, lane: PipeLane) => void = () => {};
  /** The other end closed it, with this code, or it broke. */
  onClosed: (code: number) => void = () => {};
  open = true;
  peer: PipeEnd = this;
  readonly #pipes: Pipes;
  readonly #last = { control: 0, bulk: 0 };

  constructor(
    pipes: Pipes,
    kind: PipeKind,
    owner: PipeOwner,
    remote: number,
    initiator: boolean,
    secret: Uint8Array,
  ) {
    this.#pipes = pipes;
    this.kind = kind;
    this.owner = owner;
    this.remote = remote;
    this.initiator = initiator;
    this.secret = secret;
  }

  /** Frames of a lane arrive in order; the lanes may overtake each other. */
  send(frame: unknown, lane: PipeLane = 'control'): void {
    if (!this.open) return;
    const at = this.#pipes.arrivalMs(this.owner.index, this.remote, this.#last[lane]);
    this.#last[lane] = at;
    this.#pipes.deliver(this, at, () => this.peer.onFrame(frame, lane));
  }

  /** This end is done; the other hears of it after all that was sent. */
  close(code: number): void {
    if (!this.open) return;
    this.open = false;
    const { control, bulk } = this.#last;
    const at = this.#pipes.arrivalMs(this.owner.index, this.remote, Math.max(control, bulk));
    this.#pipes.deliver(this, at, () => {
      this.peer.open = false;
      this.peer.onClosed(code);
    });
  }

  /** Ends here, told by nobody. */
  break(code: number): void {
    if (!this.open) return;
    this.open = false;
    this.owner.run(() => this.onClosed(code));
  }
}

/** All connections between all members, and what can happen to the ways between them. */
export class Pipes {
  readonly #init: PipesInit;
  readonly #ends = new Set<PipeEnd>();
  /** Ways that carry nothing: until when, and what waits there. */
  readonly #blocked = new Map<number, { untilMs: number; waiting: (() => void)[] }>();
  #numbers = 0n;

  constructor(init: PipesInit) {
    this.#init = init;
  }

  /** Nothing passes from one to the other until `unblock`, or for so long. What was sent waits: streams lose nothing. */
  block(from: number, to: number, forMs = Number.POSITIVE_INFINITY): void {
    const way = wayOf(from, to);
    const { scheduler } = this.#init;
    const untilMs = scheduler.nowMs + forMs;
    const known = this.#blocked.get(way);
    if (known) known.untilMs = Math.max(known.untilMs, untilMs);
    else this.#blocked.set(way, { untilMs, waiting: [] });
    if (Number.isFinite(forMs)) scheduler.after(forMs, () => this.#release(way));
    scheduler.after(IDLE_MS, () => this.#endSilent(from, to));
  }

  unblock(from: number, to: number): void {
    const way = wayOf(from, to);
    const blocked = this.#blocked.get(way);
    if (!blocked) return;
    blocked.untilMs = 0;
    this.#release(way);
  }

  isBlocked(from: number, to: number): boolean {
    return this.#blocked.has(wayOf(from, to));
  }

  /** All connections between two members break at once: both ends notice within `withinMs`. */
  sever(a: number, b: number, withinMs: number, code: number): void {
    const { scheduler, rng } = this.#init;
    for (const end of this.#between(a, b)) {
      const { peer } = end;
      end.open = false;
      scheduler.after(rng.float() * withinMs, () => end.owner.run(() => end.onClosed(code)));
      this.#ends.delete(end);
      peer.open = false;
    }
  }

  /** The process is gone: its ends are silent; the others notice a reset, or nothing until they miss something. */
  handleCrash(owner: PipeOwner, noticedWithinMs: number | undefined, code: number): void {
    const { scheduler, rng } = this.#init;
    for (const end of [...this.#ends]) {
      if (end.owner !== owner) continue;
      this.#ends.delete(end);
      const { peer } = end;
      const inMs = noticedWithinMs === undefined ? IDLE_MS : rng.float() * noticedWithinMs;
      scheduler.after(inMs, () => {
        this.#ends.delete(peer);
        peer.break(code);
      });
    }
  }

  /**
   * Connects to whoever runs as `to`. `accept` is called there, then `done` here, with the end of each; `done` with
   * undefined when nobody answered.
   */
  dial(
    kind: PipeKind,
    from: PipeOwner,
    to: () => { owner: PipeOwner; accept: (end: PipeEnd) => void } | undefined,
    remote: number,
    done: (end: PipeEnd | undefined) => void,
  ): void {
    const { scheduler, rng } = this.#init;
    const fail = () => {
      scheduler.after(rng.float() < 0.5 ? 5 : DIAL_TIMEOUT_MS, () => from.run(() => done(undefined)));
    };
    scheduler.after(this.arrivalMs(from.index, remote, 0) - scheduler.nowMs, () => {
      const target = to();
      if (
        !from.alive ||
        !target ||
        this.isBlocked(from.index, remote) ||
        this.isBlocked(remote, from.index)
      ) {
        fail();
        return;
      }
      this.#numbers += 1n;
      const secret = new Uint8Array(32);
      new DataView(secret.buffer).setBigUint64(0, this.#numbers);
      const near = new PipeEnd(this, kind, from, remote, true, secret);
      const far = new PipeEnd(this, kind, target.owner, from.index, false, secret);
      near.peer = far;
      far.peer = near;
      this.#ends.add(near);
      this.#ends.add(far);
      target.owner.run(() => target.accept(far));
      scheduler.after(this.arrivalMs(remote, from.index, 0) - scheduler.nowMs, () =>
        from.run(() => {
          if (near.open) done(near);
          else done(undefined);
        }),
      );
    });
  }

  /** When a frame sent now arrives, not before `notBeforeMs`. */
  arrivalMs(_from: number, _to: number, notBeforeMs: number): number {
    const { scheduler, rng, maxDelayMs, loss } = this.#init;
    const slow = rng.float() < 0.02 ? 5 : 1;
    let delayMs = 0.05 + rng.float() * maxDelayMs * slow;
    while (loss > 0 && rng.float() < loss) delayMs += RETRANSMIT_MS + maxDelayMs;
    return Math.max(scheduler.nowMs + delayMs, notBeforeMs);
  }

  deliver(from: PipeEnd, atMs: number, run: () => void): void {
    const { scheduler } = this.#init;
    const { peer } = from;
    const arrive = () => {
      if (!peer.open || !peer.owner.alive) return;
      const blocked = this.#blocked.get(wayOf(from.owner.index, from.remote));
      if (blocked) blocked.waiting.push(arrive);
      else peer.owner.run(run);
    };
    scheduler.after(atMs - scheduler.nowMs, arrive);
  }

  #release(way: number): void {
    const blocked = this.#blocked.get(way);
    if (!blocked || blocked.untilMs > this.#init.scheduler.nowMs) return;
    this.#blocked.delete(way);
    for (const arrive of blocked.waiting) arrive();
  }

  /** Still blocked after the idle time: whoever hears nothing ends what it has. */
  #endSilent(from: number, to: number): void {
    if (!this.isBlocked(from, to)) return;
    for (const end of this.#between(from, to)) {
      if (end.owner.index !== to) continue;
      this.#ends.delete(end);
      end.break(103);
    }
  }

  #between(a: number, b: number): PipeEnd[] {
    const ends: PipeEnd[] = [];
    for (const end of this.#ends) {
      if (!end.open) this.#ends.delete(end);
      else if (end.owner.index === a ? end.remote === b : end.owner.index === b && end.remote === a)
        ends.push(end);
    }
    return ends;
  }
}

/** One direction between two members, as a key. */
function wayOf(from: number, to: number): number {
  return (from << 8) | to;
}
