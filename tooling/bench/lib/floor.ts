import { type Link, SecretKey } from '@mosaik/transport';
import { quicTransport } from '@mosaik/transport/quic';
import type { Parent } from './bench.ts';

// What three processes have to do at least for a command to be on two of them and known to be: no terms, no elections,
// no log. A leader and two followers over the same transport; a turn's commands in one frame; cumulative
// acknowledgement; a promise per command; every process parses each command into a map.

const ALPN = '/bench/floor/1';
/** As many microtasks as ours waits, so that what an answer wakes travels with the next frame. */
const FLUSH_HOPS = 6;
const SETTLED = Promise.resolve();

export interface FloorStart {
  datagramBytes: number;
  /** The followers' addresses: given to the leader. */
  followers?: string[];
}

/** Accepts the leader's link and acknowledges what it applied. */
export async function floorFollower(parent: Parent): Promise<void> {
  const { datagramBytes } = await parent.next<FloorStart>();
  const endpoint = await listen(datagramBytes);
  parent.send(endpoint.addresses[0]);
  for await (const connection of endpoint.inbound(ALPN)) {
    const link = await connection.acceptLink();
    const state = new Map<string, Uint8Array>();
    let applied = 0;
    for (let frames = await link.receiveBatch(); frames.length > 0; frames = await link.receiveBatch()) {
      for (const frame of frames) applied += apply(frame, state);
      const ack = new Uint8Array(8);
      new DataView(ack.buffer).setFloat64(0, applied);
      link.write(ack);
    }
  }
}

export interface Floor {
  execute(key: string, value: Uint8Array): Promise<number>;
}

export async function floorLeader({ datagramBytes, followers = [] }: FloorStart): Promise<Floor> {
  const endpoint = await listen(datagramBytes);
  const links: Link[] = [];
  for (const address of followers) {
    links.push(await (await endpoint.connect(address, ALPN)).openLink());
  }
  const state = new Map<string, Uint8Array>();
  const acked = links.map(() => 0);
  let proposed = 0;
  let committed = 0;
  let batch: { key: string; value: Uint8Array }[] = [];
  let scheduled = false;
  /** Sent and not committed, oldest first. */
  const frames: { frame: Uint8Array; to: number }[] = [];
  const waiting = new Map<number, (index: number) => void>();

  const flush = () => {
    scheduled = false;
    const frame = encode(batch);
    frames.push({ frame, to: proposed });
    batch = [];
    for (const link of links) link.write(frame);
  };
  const handleAck = (follower: number, applied: number) => {
    acked[follower] = applied;
    const index = Math.max(...acked);
    for (; frames[0] && frames[0].to <= index; frames.shift()) apply(frames[0].frame, state);
    for (; committed < index; ) {
      committed += 1;
      waiting.get(committed)?.(committed);
      waiting.delete(committed);
    }
  };
  links.forEach(async (link, follower) => {
    for (let acks = await link.receiveBatch(); acks.length > 0; acks = await link.receiveBatch()) {
      const last = acks.at(-1);
      if (last) handleAck(follower, new DataView(last.buffer, last.byteOffset).getFloat64(0));
    }
  });
  return {
    execute(key, value) {
      proposed += 1;
      batch.push({ key, value });
      if (!scheduled) {
        scheduled = true;
        hop(FLUSH_HOPS, flush);
      }
      return new Promise((resolve) => waiting.set(proposed, resolve));
    },
  };
}

function listen(datagramBytes: number) {
  return quicTransport.listen({
    secretKey: SecretKey.generate(),
    host: '127.0.0.1',
    alpns: [ALPN],
    loopbackDatagramBytes: datagramBytes,
  });
}

/** Each command: one byte of key length, the key (ASCII), two bytes of value length, the value. */
function encode(commands: readonly { key: string; value: Uint8Array }[]): Uint8Array {
  let length = 0;
  for (const { key, value } of commands) length += 3 + key.length + value.length;
  const frame = Buffer.allocUnsafe(length);
  let at = 0;
  for (const { key, value } of commands) {
    frame[at] = key.length;
    frame.write(key, at + 1, 'latin1');
    at += 1 + key.length;
    frame.writeUInt16BE(value.length, at);
    frame.set(value, at + 2);
    at += 2 + value.length;
  }
  return frame;
}

function apply(bytes: Uint8Array, state: Map<string, Uint8Array>): number {
  const frame = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  let count = 0;
  for (let at = 0; at < frame.length; count += 1) {
    const keyEnd = at + 1 + (frame[at] ?? 0);
    const valueEnd = keyEnd + 2 + frame.readUInt16BE(keyEnd);
    state.set(frame.toString('latin1', at + 1, keyEnd), frame.subarray(keyEnd + 2, valueEnd).slice());
    at = valueEnd;
  }
  return count;
}

function hop(times: number, run: () => void): void {
  void SETTLED.then(times <= 1 ? run : () => hop(times - 1, run));
}
