import { seededRng } from '@mosaik/wire/testing';
import { expect, it } from 'vitest';
import { FrameDecoder, writeFrameHeader } from '../src/framing.ts';
import { SendQueue } from '../src/quic/send-queue.ts';
import { pattern } from '../src/testing/pair.ts';

const MIB = 1024 * 1024;

function framed(frame: Uint8Array): Uint8Array {
  const out = new Uint8Array(4 + frame.length);
  writeFrameHeader(out, 0, frame.length);
  out.set(frame, 4);
  return out;
}

/** Feeds bytes in pieces of at most `most`, collecting frames as they complete. */
function decode(
  decoder: FrameDecoder,
  input: Uint8Array,
  most: () => number,
  maxFrameBytes = 4 * MIB,
): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let at = 0; at < input.length; ) {
    const room = decoder.reserve();
    expect(room.length).toBeGreaterThan(0);
    const piece = input.subarray(at, at + Math.max(1, Math.min(room.length, most())));
    room.set(piece);
    decoder.commit(piece.length);
    at += piece.length;
    for (let frame = decoder.next(maxFrameBytes); frame; frame = decoder.next(maxFrameBytes))
      frames.push(frame);
  }
  return frames;
}

it('gives back what was framed, however the bytes arrive', () => {
  for (let seed = 1; seed <= 30; seed += 1) {
    const rng = seededRng(seed);
    const sizes = Array.from({ length: 60 }, () => Math.floor(10 ** (rng.float() * 5.5) - 1));
    const sent = sizes.map((size, index) => pattern(size, seed * 100 + index));
    const input = Buffer.concat(sent.map(framed));
    const received = decode(new FrameDecoder(), input, () => Math.floor(10 ** (rng.float() * 5)));
    expect(received.length, `seed ${seed}`).toBe(sent.length);
    for (const [index, frame] of received.entries()) {
      expect(Buffer.compare(frame, sent[index] ?? new Uint8Array()), `seed ${seed}, frame ${index}`).toBe(0);
    }
  }
});

it('hands out views, not copies, when frames lie within one slab', () => {
  const decoder = new FrameDecoder();
  const input = Buffer.concat([framed(pattern(100, 1)), framed(pattern(200, 2))]);
  const [first, second] = decode(decoder, input, () => input.length);
  expect(first?.buffer).toBe(second?.buffer);
  expect(first?.constructor).toBe(Uint8Array);
});

it('refuses a header above the limit before it buffers a byte of the frame', () => {
  const decoder = new FrameDecoder();
  const room = decoder.reserve();
  room.set([0, 0, 3, 233]);
  decoder.commit(4);
  expect(() => decoder.next(1000)).toThrow(expect.objectContaining({ code: 'too-large' }));
});

it('does not allocate what a header merely announces', () => {
  const decoder = new FrameDecoder();
  const room = decoder.reserve();
  writeFrameHeader(room, 0, 1024 * MIB);
  decoder.commit(4);
  expect(decoder.next(1024 * MIB)).toBeUndefined();
  expect(decoder.reserve().length).toBeLessThanOrEqual(128 * 1024);
});

it('queues small and large frames in order, however they are taken', () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const rng = seededRng(seed);
    const queue = new SendQueue();
    const sent: Uint8Array[] = [];
    const taken: Uint8Array[] = [];
    for (let step = 0; step < 400; step += 1) {
      if (rng.float() < 0.5) {
        const frame = pattern(Math.floor(10 ** (rng.float() * 4.5)), seed * 1000 + step);
        sent.push(frame);
        queue.push(frame);
      } else {
        const chunk = queue.peek();
        if (!chunk) continue;
        const length = 1 + Math.floor(rng.float() * chunk.length);
        taken.push(Uint8Array.from(chunk.subarray(0, length)));
        queue.consume(length);
      }
    }
    for (let chunk = queue.peek(); chunk; chunk = queue.peek()) {
      taken.push(Uint8Array.from(chunk));
      queue.consume(chunk.length);
    }
    expect(queue.queuedBytes).toBe(0);
    expect(Buffer.compare(Buffer.concat(taken), Buffer.concat(sent.map(framed))), `seed ${seed}`).toBe(0);
  }
});
