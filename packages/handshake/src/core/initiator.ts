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
import { createProof, verifyProof } from '../proof.ts';
import type { HandshakeResult } from './machine.ts';
import { HandshakeSide } from './side.ts';

export interface InitiatorInit {
  networkId: NetworkId;
  groupId: GroupId;
  groupKey: GroupKey;
  sessionSecret: Uint8Array;
  localId: PeerId;
  remoteId: PeerId;
  bonds: readonly SignedPeerEntry[];
  incarnation: bigint;
  timeoutMs: number;
}

/** The side that dialled: proves first, then checks the acceptor's proof in the same way. */
export class InitiatorCore extends HandshakeSide {
  readonly #init: InitiatorInit;
  #result: HandshakeResult | undefined;

  constructor(init: InitiatorInit) {
    super(init);
    this.#init = init;
  }

  protected handleBegin(): void {
    const { networkId, groupId, bonds, incarnation, localId } = this.#init;
    const own = { ...this.#init, prover: localId };
    const start = { networkId, groupId, proof: createProof(own), bonds: sealBonds(bonds, own), incarnation };
    this.emit({ type: 'send', frame: HandshakeStart.encode(start) });
  }

  protected handleSent(): void {
    this.emit({ type: 'receive' });
  }

  protected handleFrame(frame: Uint8Array): void {
    const end = HandshakeEnd.decode(frame);
    const theirs = { ...this.#init, prover: this.remoteId };
    if (!verifyProof({ ...theirs, proof: end.proof })) {
      this.fail('invalid-proof', CloseCode.InvalidProof, 'proof of knowledge is wrong');
      return;
    }
    const { groupId } = this.#init;
    this.#result = { groupId, bonds: openBonds(end.bonds, theirs), incarnation: end.incarnation };
    this.emit({ type: 'admit', groupId, incarnation: end.incarnation });
  }

  protected handleAdmitted(): void {
    if (this.#result) this.finish(this.#result);
  }
}
