import { BondMessage, MAX_CONTROL_FRAME_BYTES } from '@mosaik/wire';
import { expect, it } from 'vitest';
import { encodeRaftFrame } from '../src/raft-frame.ts';

it('a Raft frame is what the codec writes, at every length of its prefix', () => {
  for (const length of [0, 1, 127, 128, 16_383, 16_384, MAX_CONTROL_FRAME_BYTES - 4]) {
    const value = new Uint8Array(length).fill(length & 0xff);
    expect(encodeRaftFrame(value)).toEqual(BondMessage.encode({ type: 'Raft', value }));
  }
});
