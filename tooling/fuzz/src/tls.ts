import { TransportError } from '@mosaik/transport';
import { type LinkCore, Mux, utf8 } from '@mosaik/transport/testing';
import { createMutator, type Mutator } from './mutator.ts';

const BATCH_BYTES = 16_384;
const MAX_FRAME_BYTES = 4096;
/** What a connection may hold unread: the first window of each of its links and the budget for more. */
const MAX_UNREAD_BYTES = 64 * 1024 * 1024;
const MAX_LINKS = 256;
/** Streams that inputs are made of, the newest. */
const CORPUS = 64;
/** Longest that one input may take. */
const HANG_MS = 2000;

export interface TlsFuzzOptions {
  /** Decides every input. */
  seed: number;
  seconds: number;
  /** Stops after so many inputs. */
  inputs?: number | undefined;
}

export interface TlsFuzzResult {
  inputs: number;
  /** Inputs after which the connection still lived. */
  survived: number;
  failure: { problem: string; hex: string } | undefined;
}

/**
 * Puts invented and changed streams of records to the core of the TLS transport, cut anywhere. Each must leave it
 * alive, or ended once and with a reason; what it holds and what it answers stay bounded, and nothing is thrown.
 */
export function fuzzTls({
  seed,
  seconds,
  inputs: limit = Number.POSITIVE_INFINITY,
}: TlsFuzzOptions): TlsFuzzResult {
  const mutator = createMutator(seed);
  const corpus: Uint8Array[] = [];
  const endMs = performance.now() + seconds * 1000;
  const result: TlsFuzzResult = { inputs: 0, survived: 0, failure: undefined };
  while (result.inputs < limit && performance.now() < endMs) {
    if (result.inputs % 64 === 0) {
      const conversation = converse(mutator);
      for (const stream of [conversation.there, conversation.back]) {
        if (corpus.length < CORPUS) corpus.push(stream);
        else corpus[mutator.below(CORPUS)] = stream;
      }
      const { problem } = conversation;
      if (problem !== undefined) return { ...result, failure: { problem, hex: hex(conversation.there) } };
    }
    const input = mutator.next(corpus);
    const startedMs = performance.now();
    let problem: string | undefined;
    try {
      const victim = new End(mutator.below(2) === 0, mutator);
      if (mutator.below(2) === 0) victim.write(mutator.below(300));
      problem = victim.take(input);
      if (!victim.mux.over) result.survived += 1;
    } catch (error) {
      problem = `an exception escaped: ${error instanceof Error ? error.stack : String(error)}`;
    }
    result.inputs += 1;
    if (performance.now() - startedMs > HANG_MS) problem ??= `took longer than ${HANG_MS / 1000} s`;
    if (problem !== undefined) return { ...result, failure: { problem, hex: hex(input) } };
  }
  return result;
}

/** One end of a connection: the core with a reader that takes what it wants. */
class End {
  readonly mux: Mux;
  readonly received: Uint8Array[] = [];
  ended = false;
  #nowMs = 0;
  readonly #links = new Set<LinkCore>();
  readonly #mutator: Mutator;

  constructor(initiator: boolean, mutator: Mutator) {
    this.#mutator = mutator;
    this.mux = new Mux({ initiator, idleTimeoutMs: 30_000, keepAliveMs: 10_000, nowMs: 0, utf8 });
  }

  /** A frame on a link of its own. */
  write(bytes: number): void {
    const link = this.mux.open(bytes % 2 === 0 ? 'normal' : 'high');
    link.outbox.push(new Uint8Array(bytes).fill(bytes));
    if (bytes % 3 === 0) link.finish();
    this.mux.handlePending(link);
  }

  /** Bytes of the peer in pieces. What is wrong afterwards, if anything. */
  take(input: Uint8Array): string | undefined {
    for (let at = 0; at < input.length; ) {
      const piece = input.slice(at, at + 1 + this.#mutator.below(2048));
      at += piece.length;
      this.#nowMs += this.#mutator.below(20) === 0 ? 11_000 : 1;
      this.mux.handleTimer(this.#nowMs);
      this.mux.handleBytes(piece, this.#nowMs);
      const problem = this.#settle() ?? this.#answer(piece.length);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }

  /** Everything that it has to say now. */
  say(): Uint8Array {
    const batch = new Uint8Array(BATCH_BYTES);
    const said: Uint8Array[] = [];
    for (
      let length = this.mux.fill(batch, this.#nowMs);
      length > 0;
      length = this.mux.fill(batch, this.#nowMs)
    )
      said.push(batch.slice(0, length));
    this.#settle();
    return Buffer.concat(said);
  }

  #settle(): string | undefined {
    for (const effect of this.mux.drain()) {
      if (this.ended) return `an effect '${effect.type}' after the end`;
      if (effect.type === 'opened') this.#links.add(effect.link);
      else if (effect.type === 'ended') this.ended = true;
    }
    let unread = 0;
    for (const link of this.#links) {
      if (this.#mutator.below(4) > 0) this.#read(link);
      unread += link.inbox.bufferedBytes;
    }
    if (unread > MAX_UNREAD_BYTES) return `${unread} bytes are held unread`;
    if ([...this.#links].filter((link) => !link.done).length > 2 * MAX_LINKS)
      return 'too many links are open';
    return undefined;
  }

  #read(link: LinkCore): void {
    try {
      for (let frame = link.inbox.next(MAX_FRAME_BYTES); frame; frame = link.inbox.next(MAX_FRAME_BYTES))
        this.received.push(frame);
    } catch (error) {
      if (!(error instanceof TransportError) || error.code !== 'too-large') throw error;
      this.#links.delete(link);
      this.mux.close({ code: 30_400, reason: error.message, remote: false }, this.#nowMs);
    }
    this.mux.handleRead(link);
  }

  /** Few bytes must not make it say many. */
  #answer(heard: number): string | undefined {
    const said = this.say().length;
    const most = 4096 + 16 * heard;
    return said > most ? `${said} bytes answer ${heard}` : undefined;
  }
}

/** Two ends that keep the rules; every frame must arrive. Gives what each said. */
function converse(mutator: Mutator): { there: Uint8Array; back: Uint8Array; problem: string | undefined } {
  const [a, b] = [new End(true, mutator), new End(false, mutator)];
  const said: [Uint8Array[], Uint8Array[]] = [[], []];
  let written = 0;
  for (let turn = 0; turn < 12; turn += 1) {
    if (turn < 8) {
      a.write(mutator.below(600));
      b.write(mutator.below(600));
      written += 1;
    }
    const [there, back] = [a.say(), b.say()];
    said[0].push(there);
    said[1].push(back);
    for (const [end, bytes] of [
      [b, there],
      [a, back],
    ] as const) {
      end.mux.handleBytes(bytes, turn);
    }
  }
  a.say();
  b.say();
  let problem = a.ended || b.ended ? 'a conversation that keeps the rules ended' : undefined;
  for (let i = 0; i < 64 && (a.received.length < written || b.received.length < written); i += 1) {
    a.say();
    b.say();
  }
  if (a.received.length !== written || b.received.length !== written)
    problem ??= `${a.received.length} and ${b.received.length} frames of ${written} arrived`;
  return { there: Buffer.concat(said[0]), back: Buffer.concat(said[1]), problem };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
