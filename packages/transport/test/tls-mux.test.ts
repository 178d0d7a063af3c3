import { CloseCode } from '@mosaik/wire';
import { seededRng } from '@mosaik/wire/testing';
import { describe, expect, it } from 'vitest';
import type { LinkPriority } from '../src/ports.ts';
import { utf8 } from '../src/shared/utf8.ts';
import { FIRST_WINDOW_BYTES, type LinkCore } from '../src/tls/core/link-core.ts';
import { MAX_PEER_LINKS } from '../src/tls/core/link-table.ts';
import { Mux, type MuxEffect } from '../src/tls/core/mux.ts';
import { RecordReader } from '../src/tls/core/record-reader.ts';
import { RecordType, writeRecordHeader, writeU32 } from '../src/tls/core/records.ts';

const MiB = 1024 * 1024;
const BATCH = 65_536;

/** One end, and what happened at it. */
class End {
  readonly mux: Mux;
  readonly opened: LinkCore[] = [];
  effects: MuxEffect[] = [];

  constructor(initiator: boolean, idleTimeoutMs = 30_000) {
    this.mux = new Mux({ initiator, idleTimeoutMs, keepAliveMs: 10_000, nowMs: 0, utf8 });
  }

  get ended() {
    return this.effects.find((effect) => effect.type === 'ended')?.reason;
  }

  receive(bytes: Uint8Array, nowMs = 0): void {
    this.mux.handleBytes(bytes, nowMs);
    this.settle();
  }

  settle(): void {
    const effects = this.mux.drain();
    for (const effect of effects) if (effect.type === 'opened') this.opened.push(effect.link);
    this.effects.push(...effects);
  }

  /** One batch of what it wants to say. */
  fill(nowMs = 0): Uint8Array {
    const batch = new Uint8Array(BATCH);
    const length = this.mux.fill(batch, nowMs);
    this.settle();
    return batch.subarray(0, length);
  }

  open(priority: LinkPriority = 'normal'): LinkCore {
    return this.mux.open(priority);
  }

  write(link: LinkCore, ...frames: Uint8Array[]): void {
    for (const frame of frames) link.outbox.push(frame);
    this.mux.handlePending(link);
  }

  /** Every frame of a link that is there; what was read is granted again. */
  read(link: LinkCore | undefined): Uint8Array[] {
    const frames: Uint8Array[] = [];
    for (let frame = link?.inbox.next(16 * MiB); frame; frame = link?.inbox.next(16 * MiB))
      frames.push(frame);
    if (link) this.mux.handleRead(link);
    return frames;
  }
}

/** Two ends that have greeted each other. */
function pair(): [End, End] {
  const ends: [End, End] = [new End(true), new End(false)];
  exchange(...ends);
  return ends;
}

/** Carries bytes both ways until neither says anything; gives how many went from `a` to `b`. */
function exchange(a: End, b: End): number {
  let bytes = 0;
  for (;;) {
    const [there, back] = [a.fill(), b.fill()];
    if (there.length + back.length === 0) return bytes;
    bytes += there.length;
    b.receive(there);
    a.receive(back);
  }
}

function record(type: number, payload: Uint8Array, link = 0, length = payload.length): Uint8Array {
  const bytes = new Uint8Array(8 + payload.length);
  writeRecordHeader(bytes, 0, type, length, link);
  bytes.set(payload, 8);
  return bytes;
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  writeU32(bytes, 0, value);
  return bytes;
}

const HELLO = record(RecordType.hello, Uint8Array.of(1, 0, 0, 0x75, 0x30));

/** The records in `bytes`. */
function parse(bytes: Uint8Array): { type: number; link: number; length: number }[] {
  const reader = new RecordReader();
  reader.push(bytes);
  const records = [];
  for (let next = reader.next(); next; next = reader.next())
    records.push({ type: next.type, link: next.link, length: next.payload.length });
  return records;
}

describe('links over one stream', () => {
  it('carry the same frames however the stream is cut', () => {
    const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
    const rng = seededRng(seed);
    const below = (n: number) => new DataView(rng.bytes(4).buffer).getUint32(0) % n;
    for (let round = 0; round < 30; round += 1) {
      const [a, b] = pair();
      const sent = Array.from({ length: 1 + below(5) }, () =>
        Array.from({ length: 1 + below(60) }, () => rng.bytes(below(8) === 0 ? below(40_000) : below(300))),
      );
      for (const frames of sent) a.write(a.open(), ...frames);
      const received: Uint8Array[][] = sent.map(() => []);
      for (let idle = 0; idle < 2; ) {
        const batch = a.fill();
        idle = batch.length === 0 ? idle + 1 : 0;
        for (let at = 0; at < batch.length; ) {
          const end = Math.min(batch.length, at + 1 + below(below(3) === 0 ? 10 : 20_000));
          b.receive(batch.slice(at, end));
          at = end;
          if (below(3) === 0) for (const [i, link] of b.opened.entries()) received[i]?.push(...b.read(link));
        }
        for (const [i, link] of b.opened.entries()) received[i]?.push(...b.read(link));
        a.receive(b.fill());
      }
      const same = received.every((frames, i) => Buffer.concat(frames).equals(Buffer.concat(sent[i] ?? [])));
      expect(
        received.map(({ length }) => length),
        `SEED=${seed}`,
      ).toEqual(sent.map(({ length }) => length));
      expect(same, `SEED=${seed}`).toBe(true);
    }
  });

  it('of high priority go before all others, whenever they were written', () => {
    const [a] = pair();
    const [bulk, control] = [a.open(), a.open('high')];
    a.write(bulk, new Uint8Array(100_000));
    a.fill();
    a.write(bulk, new Uint8Array(10));
    a.write(control, Uint8Array.of(1));
    expect(parse(a.fill())[0]).toEqual({ type: RecordType.data, link: control.id, length: 5 });
  });

  it('of one priority take turns', () => {
    const [a] = pair();
    const links = [a.open(), a.open()];
    for (const link of links) a.write(link, new Uint8Array(100_000));
    expect(parse(a.fill()).map(({ link }) => link)).toEqual([0, 2, 0, 2]);
  });

  it('leave many small frames in one record', () => {
    const [a] = pair();
    a.write(a.open(), ...Array.from({ length: 100 }, () => new Uint8Array(20)));
    expect(parse(a.fill())).toEqual([{ type: RecordType.data, link: 0, length: 2400 }]);
  });

  it('hold back a writer whose reader does not read, and carry on when it does', () => {
    const [a, b] = pair();
    const link = a.open();
    a.write(link, ...Array.from({ length: 100 }, () => new Uint8Array(100_000)));
    expect(exchange(a, b)).toBeLessThan(1.1 * MiB);
    expect(link.outbox.queuedBytes).toBeGreaterThan(8 * MiB);
    let read = 0;
    for (let frames = b.read(b.opened[0]); frames.length > 0; frames = b.read(b.opened[0])) {
      read += frames.length;
      exchange(a, b);
    }
    expect(read).toBe(100);
  });

  it('do not hold each other back: a second one flows while the first is not read', () => {
    const [a, b] = pair();
    const [stuck, free] = [a.open(), a.open()];
    a.write(stuck, new Uint8Array(8 * MiB));
    exchange(a, b);
    a.write(free, Uint8Array.of(7));
    exchange(a, b);
    expect(b.read(b.opened[1])).toEqual([Uint8Array.of(7)]);
  });

  it('hold no more unread bytes than 32 MiB and the first windows, whatever the peer opens', () => {
    const [a, b] = pair();
    for (let i = 0; i < MAX_PEER_LINKS; i += 1) a.write(a.open(), new Uint8Array(2 * MiB));
    exchange(a, b);
    const unread = b.opened.reduce((sum, link) => sum + link.inbox.unreadBytes, 0);
    expect(unread).toBeGreaterThan(MAX_PEER_LINKS * FIRST_WINDOW_BYTES * 0.99);
    expect(unread).toBeLessThanOrEqual(32 * MiB + MAX_PEER_LINKS * FIRST_WINDOW_BYTES);
  });

  it('carry a frame larger than any window to a reader that waits', () => {
    const [a, b] = pair();
    a.write(a.open(), new Uint8Array(16 * MiB).fill(3));
    let frames: Uint8Array[] = [];
    while (frames.length === 0 && exchange(a, b) > 0) frames = b.read(b.opened[0]);
    expect(frames.map(({ length }) => length)).toEqual([16 * MiB]);
  });

  it('wait for their turn when the peer has enough of them open', () => {
    const [a, b] = pair();
    const links = Array.from({ length: MAX_PEER_LINKS + 1 }, () => a.open());
    for (const link of links) a.write(link, Uint8Array.of(1));
    exchange(a, b);
    expect(b.opened.length).toBe(MAX_PEER_LINKS);
    const [mine, theirs] = [links[0], b.opened[0]];
    for (const [end, link] of [[a, mine] as const, [b, theirs] as const]) {
      link?.finish();
      if (link) end.mux.handlePending(link);
    }
    exchange(a, b);
    expect(b.opened.length).toBe(MAX_PEER_LINKS + 1);
  });
});

describe('a peer that breaks the protocol is told 400 and why', () => {
  const data = (link: number, length: number) => record(RecordType.data, new Uint8Array(length), link);
  const cases: Record<string, Uint8Array[]> = {
    'no hello first': [data(0, 1)],
    'a second hello': [HELLO, HELLO],
    'a hello of another version': [record(RecordType.hello, Uint8Array.of(2, 0, 0, 1, 0))],
    'an unknown type': [HELLO, record(7, new Uint8Array(0))],
    'a record beyond its largest size': [HELLO, record(RecordType.data, new Uint8Array(0), 0, 16_377)],
    'an empty record of data': [HELLO, data(0, 0)],
    'a ping of another size': [HELLO, record(RecordType.ping, new Uint8Array(5))],
    'a ping that names a link': [HELLO, record(RecordType.ping, new Uint8Array(4), 2)],
    'a link out of order': [HELLO, data(2, 1)],
    'a link of the other side': [HELLO, data(1, 1)],
    'data after the end of a link': [
      HELLO,
      data(0, 1),
      record(RecordType.fin, new Uint8Array(0), 0),
      data(0, 1),
    ],
    'more data than the window': [HELLO, ...Array.from({ length: 9 }, () => data(0, 16_376))],
    'credit for a link that has not begun': [HELLO, record(RecordType.credit, u32(1), 1)],
    'a credit of nothing': [HELLO, data(0, 1), record(RecordType.credit, u32(0), 0)],
    'too many links': [HELLO, ...Array.from({ length: 257 }, (_, i) => data(2 * i, 1))],
  };
  it.each(Object.keys(cases))('%s', (name) => {
    const victim = new End(false);
    const bytes = Buffer.concat(cases[name] ?? []);
    // In one piece: no window grows in between.
    victim.receive(bytes);
    expect(victim.effects.find(({ type }) => type === 'closing')).toMatchObject({
      reason: { code: CloseCode.ProtocolViolation, remote: false },
    });
    expect(parse(victim.fill()).at(-1)?.type).toBe(RecordType.close);
  });

  it('arbitrary bytes do no more than that', () => {
    const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
    const rng = seededRng(seed);
    for (let i = 0; i < 2000; i += 1) {
      const victim = new End(i % 2 === 0);
      if (i % 3 > 0) victim.receive(HELLO);
      for (let k = 0; k < 4; k += 1) {
        const bytes = rng.bytes(8 + (rng.bytes(1)[0] ?? 0));
        // Known types, small lengths and links: deeper than the first check.
        if (i % 5 > 0)
          bytes.set([(bytes[0] ?? 0) % 7, 0, 0, (bytes[3] ?? 0) % 20, 0, 0, 0, (bytes[7] ?? 0) % 3]);
        victim.receive(bytes);
        expect(victim.fill().length, `SEED=${seed}`).toBeLessThanOrEqual(BATCH);
      }
    }
  });

  it('a flood of pings costs one answer', () => {
    const [, b] = pair();
    b.receive(Buffer.concat(Array.from({ length: 5000 }, (_, i) => record(RecordType.ping, u32(i)))));
    expect(parse(b.fill())).toEqual([{ type: RecordType.pong, link: 0, length: 4 }]);
  });
});

describe('a stream', () => {
  it('that is quiet is kept alive, and ends when nothing is heard for the smaller idle timeout', () => {
    const [a, b] = [new End(true, 30_000), new End(false, 25_000)];
    exchange(a, b);
    expect(a.mux.nextDeadlineMs()).toBe(10_000);
    a.mux.handleTimer(10_000);
    expect(parse(a.fill(10_000))).toEqual([{ type: RecordType.ping, link: 0, length: 4 }]);
    expect(a.mux.nextDeadlineMs()).toBe(20_000);
    a.mux.handleTimer(25_000);
    a.settle();
    expect(a.ended).toMatchObject({ code: CloseCode.Timeout, remote: false });
  });

  it('that is closed carries what was written first, then the code and the reason', () => {
    const [a, b] = pair();
    a.write(a.open(), new Uint8Array(700_000));
    a.mux.close({ code: Number.MAX_SAFE_INTEGER, reason: 'grüße', remote: false }, 0);
    exchange(a, b);
    expect(b.read(b.opened[0]).map(({ length }) => length)).toEqual([700_000]);
    expect(b.ended).toEqual({ code: Number.MAX_SAFE_INTEGER, reason: 'grüße', remote: true });
  });

  it('that is closed waits one second for a reader that does not read, then says so', () => {
    const [a, b] = pair();
    a.write(a.open(), new Uint8Array(10 * MiB));
    exchange(a, b);
    a.mux.close({ code: 200, reason: '', remote: false }, 0);
    exchange(a, b);
    expect(b.ended).toBeUndefined();
    expect(a.mux.nextDeadlineMs()).toBe(1000);
    a.mux.handleTimer(1000);
    b.receive(a.fill(1000), 1000);
    expect(b.ended?.code).toBe(200);
    a.mux.handleTimer(2000);
    a.settle();
    expect(a.ended).toMatchObject({ code: 200, remote: false });
  });

  it('that is closed ends one second later when it does not even take the close, as when the network is gone', () => {
    const [a] = pair();
    a.write(a.open(), new Uint8Array(10));
    a.mux.close({ code: 200, reason: '', remote: false }, 0);
    expect(a.mux.nextDeadlineMs()).toBe(1000);
    a.mux.handleTimer(1000);
    a.settle();
    expect(a.ended).toBeUndefined();
    expect(a.mux.nextDeadlineMs()).toBe(2000);
    a.mux.handleTimer(2000);
    a.settle();
    expect(a.effects.at(-1)).toEqual({
      type: 'ended',
      reason: { code: 200, reason: '', remote: false },
      destroy: true,
    });
  });

  it('that both sides close with much unread does not make them wait for each other', () => {
    const [a, b] = pair();
    for (const end of [a, b]) {
      end.write(end.open(), new Uint8Array(10 * MiB));
      end.settle();
    }
    exchange(a, b);
    for (const end of [a, b]) end.mux.close({ code: 200, reason: '', remote: false }, 0);
    exchange(a, b);
    expect(a.ended?.code).toBe(200);
  });
});
