import type { GroupId, NetworkId, PeerId, SignedPeerEntry } from '@mosaik/wire';
import { type Clock, systemClock } from '@mosaik/wire/runtime';
import type { Admit, HandshakeChannel } from './channel.ts';
import { AcceptorCore } from './core/acceptor.ts';
import { InitiatorCore } from './core/initiator.ts';
import type { HandshakeResult } from './core/machine.ts';
import { runHandshake } from './driver.ts';
import type { GroupKey } from './group-key.ts';

/** Default time for a whole handshake, in milliseconds. */
export const DEFAULT_HANDSHAKE_TIMEOUT_MS = 2000;

export interface HandshakeOptions {
  networkId: NetworkId;
  localId: PeerId;
  /** Whom the channel has authenticated. A channel that has not makes peer ids mere claims. */
  remoteId: PeerId;
  /** Decides on tickets and on bonds that exist; default: everyone who knows the key. */
  admit?: Admit | undefined;
  /** For the whole handshake, admission included. Default 2000, from 1. */
  timeoutMs?: number | undefined;
  /** Ends the handshake with 102 Cancelled. */
  signal?: AbortSignal | undefined;
  /** Default: this machine's. */
  clock?: Clock | undefined;
}

export interface InitiateHandshakeOptions extends HandshakeOptions {
  groupId: GroupId;
  groupKey: GroupKey;
  /** 32 bytes that only the two ends of this channel know. Borrowed for the call. */
  sessionSecret: Uint8Array;
  /** Entries of the peers that this side is bonded with; what fits 48 KiB is told, encrypted. Default none. */
  bonds?: readonly SignedPeerEntry[] | undefined;
  /** Of the local log store, below 2^64. Default 0. */
  incarnation?: bigint | undefined;
}

export interface AcceptHandshakeOptions extends HandshakeOptions {
  /** The key of a group served here, undefined when there is no such group. */
  groups: (groupId: GroupId) => GroupKey | undefined;
  /** As the initiator's, for the group that the initiator named: a TLS exporter takes the group as its context. */
  sessionSecret: (groupId: GroupId) => Uint8Array;
  /** As the initiator's; a function when it differs by group. */
  bonds?: readonly SignedPeerEntry[] | ((groupId: GroupId) => readonly SignedPeerEntry[]) | undefined;
  /** As the initiator's; a function when it differs by group. */
  incarnation?: bigint | ((groupId: GroupId) => bigint) | undefined;
}

/**
 * Proves knowledge of the group key to the peer that this side dialled, and has it prove the same.
 *
 * Sends one frame and reads one. The channel stays open, and what follows on it is the caller's.
 *
 * @throws HandshakeError after closing the channel with its `closeCode`; TypeError, RangeError on misuse.
 */
export async function initiateHandshake(
  channel: HandshakeChannel,
  options: InitiateHandshakeOptions,
): Promise<HandshakeResult> {
  const core = new InitiatorCore({
    networkId: options.networkId,
    groupId: options.groupId,
    groupKey: options.groupKey,
    sessionSecret: options.sessionSecret,
    localId: options.localId,
    remoteId: options.remoteId,
    bonds: options.bonds ?? [],
    incarnation: options.incarnation ?? 0n,
    timeoutMs: checkedTimeoutMs(options.timeoutMs),
  });
  return runHandshake({ core, channel, ...runOptions(options) });
}

/**
 * Answers the handshake of a peer that dialled this side, for whichever group it names.
 *
 * Reads one frame and, when network, group, proof and admission hold, sends one.
 *
 * @throws HandshakeError after closing the channel with its `closeCode`; TypeError, RangeError on misuse.
 */
export async function acceptHandshake(
  channel: HandshakeChannel,
  options: AcceptHandshakeOptions,
): Promise<HandshakeResult> {
  const { bonds = [], incarnation = 0n } = options;
  const core = new AcceptorCore({
    networkId: options.networkId,
    groups: options.groups,
    sessionSecret: options.sessionSecret,
    localId: options.localId,
    remoteId: options.remoteId,
    bonds: typeof bonds === 'function' ? bonds : () => bonds,
    incarnation: typeof incarnation === 'function' ? incarnation : () => incarnation,
    timeoutMs: checkedTimeoutMs(options.timeoutMs),
  });
  return runHandshake({ core, channel, ...runOptions(options) });
}

function runOptions({ remoteId, admit, clock = systemClock, signal }: HandshakeOptions) {
  return { remoteId, admit, clock, signal };
}

function checkedTimeoutMs(timeoutMs = DEFAULT_HANDSHAKE_TIMEOUT_MS): number {
  if (!Number.isFinite(timeoutMs) || timeoutMs < 1)
    throw new RangeError(`timeoutMs is at least 1, got ${timeoutMs}`);
  return timeoutMs;
}
