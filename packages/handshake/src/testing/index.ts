/** `@mosaik/handshake/testing`: a channel in memory to run handshakes over; the cores, for simulations. */

export { AcceptorCore } from '../core/acceptor.ts';
export { InitiatorCore } from '../core/initiator.ts';
export type { HandshakeMachine } from '../core/machine.ts';
export { channelPair, type TestChannel } from './channel-pair.ts';
