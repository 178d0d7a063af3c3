import {
  CloseCode,
  type GroupId,
  HandshakeEnd,
  HandshakeStart,
  type NetworkId,
  type PeerId,
  type SignedPeerEntry,
} from '@mosaik/wire';
import { openBonds, sealBonds } from '../bonds-list.ts';
import type { GroupKey } from '../group-key.ts';
import { createProof, type ProofInit, verifyProof } from '../proof.ts';
import type { HandshakeResult } from './machine.ts';
import { HandshakeSide } from './side.ts';

export interface AcceptorInit {
  networkId: NetworkId;
  /** The key of a group that is served here. */
  groups: (groupId: GroupId) => GroupKey | undefined;
  sessionSecret: (groupId: GroupId) => Uint8Array;
  localId: PeerId;
  remoteId: PeerId;
  bonds: (groupId: GroupId) => readonly SignedPeerEntry[];
  /** Of this side's log store in that group. */
  incarnation: (groupId: GroupId) => bigint;
  timeoutMs: number;
}

/**
 * The side that was dialled. Answers only when everything was checked: network, group, proof, admission, in that order.
 *
 * Differs from the original, which answers before it compares networks, because an answer proves knowledge of the key.
 */
export class AcceptorCore extends HandshakeSide {
  readonly #init: AcceptorInit;
  #proven: { own: ProofInit; result: HandshakeResult } | undefined;

  constructor(init: AcceptorInit) {
    super(init);
    this.#init = init;
  }

  protected handleBegin(): void {
    this.emit({ type: 'receive' });
  }

  protected handleFrame(frame: Uint8Array): void {
    const start = HandshakeStart.decode(frame);
    if (start.networkId !== this.#init.networkId) {
      this.fail('different-network', CloseCode.DifferentNetwork, 'this peer is on another network');
      return;
    }
    const { groupId, incarnation } = start;
    const groupKey = this.#init.groups(groupId);
    if (!groupKey) {
      this.fail('group-not-found', CloseCode.GroupNotFound, 'no such group here');
      return;
    }
    const shared = { groupKey, groupId, sessionSecret: this.#init.sessionSecret(groupId) };
    const theirs = { ...shared, prover: this.remoteId };
    if (!verifyProof({ ...theirs, proof: start.proof })) {
      this.fail('invalid-proof', CloseCode.InvalidProof, 'proof of knowledge is wrong');
      return;
    }
    const bonds = openBonds(start.bonds, theirs);
    this.#proven = {
      own: { ...shared, prover: this.localId },
      result: { groupId, bonds, incarnation },
    };
    this.emit({ type: 'admit', groupId, incarnation });
  }

  protected handleAdmitted(): void {
    if (!this.#proven) return;
    const { own } = this.#proven;
    const end = {
      proof: createProof(own),
      bonds: sealBonds(this.#init.bonds(own.groupId), own),
      incarnation: this.#init.incarnation(own.groupId),
    };
    this.emit({ type: 'send', frame: HandshakeEnd.encode(end) });
  }

  protected handleSent(): void {
    if (this.#proven) this.finish(this.#proven.result);
  }
}
