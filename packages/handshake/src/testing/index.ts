/** `@mosaik/handshake/testing`: a channel in memory to run handshakes over. */
export { channelPair, type TestChannel } from './channel-pair.ts';
