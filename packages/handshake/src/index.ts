/**
 * `@mosaik/handshake`: two peers prove to each other, over any authenticated and encrypted channel, that they know the
 * same group key, without telling it. Runs wherever JavaScript runs.
 */
export type { Admission, AdmissionRequest, Admit, HandshakeChannel } from './channel.ts';
export type { HandshakeResult } from './core/machine.ts';
export { deriveBondId, deriveGroupId, type GroupIdInit } from './derivations.ts';
export { HandshakeError, type HandshakeErrorCode } from './errors.ts';
export { GroupKey } from './group-key.ts';
export {
  type AcceptHandshakeOptions,
  acceptHandshake,
  DEFAULT_HANDSHAKE_TIMEOUT_MS,
  type HandshakeOptions,
  type InitiateHandshakeOptions,
  initiateHandshake,
} from './handshake.ts';
export { createProof, type ProofInit, verifyProof } from './proof.ts';
export { type Expiration, InvalidTicket, type InvalidTicketReason, type TicketValidator } from './tickets.ts';
