import { createProof, GroupKey, initiateHandshake } from '@mosaik/handshake';
import type { CloseReason, Connection, Endpoint, Link } from '@mosaik/transport';
import {
  Alpn,
  type BondId,
  BondMessage,
  CloseCode,
  type GroupId,
  HandshakeEnd,
  HandshakeStart,
  MAX_CONTROL_FRAME_BYTES,
  type NetworkId,
  type PeerId,
  UniqueId,
} from '@mosaik/wire';
import type { Clock } from '@mosaik/wire/runtime';
import { handshakeChannel, sessionSecretOf } from '../src/handshake-channel.ts';
import { GROUP, KEY, NETWORK } from './mesh.ts';

/** A peer that the victim knows, and that means no good. */
export interface Attacker {
  endpoint: Endpoint;
  victim: { id: PeerId; address: string };
  clock: Clock;
}

export interface Attack {
  name: string;
  closeCode: number;
  /** The connection that the victim must close. */
  run(attacker: Attacker): Promise<Connection>;
}

async function dial({ endpoint, victim }: Attacker): Promise<{ connection: Connection; link: Link }> {
  const connection = await endpoint.connect(victim.address, Alpn.groups, { expect: victim.id });
  return { connection, link: await connection.openLink() };
}

/** What a member that knows the key would send on `connection`, but for `changes`. */
function startOn(connection: Connection, prover: PeerId, changes: Partial<HandshakeStart> = {}): Uint8Array {
  const sessionSecret = sessionSecretOf(connection, GROUP);
  const proof = createProof({ groupKey: KEY, groupId: GROUP, sessionSecret, prover });
  const start = { networkId: NETWORK, groupId: GROUP, proof, bonds: new Uint8Array(), incarnation: 1n };
  return HandshakeStart.encode({ ...start, ...changes });
}

function sending(
  name: string,
  closeCode: number,
  frame: (connection: Connection, self: PeerId) => Uint8Array,
): Attack {
  return {
    name,
    closeCode,
    async run(attacker) {
      const { connection, link } = await dial(attacker);
      // The victim may close before it took all of a large frame.
      link.write(frame(connection, attacker.endpoint.id));
      return connection;
    },
  };
}

/** Once it is a member in good standing. */
function bonded(
  name: string,
  closeCode: number,
  misbehave: (link: Link, connection: Connection, self: PeerId) => Promise<unknown>,
): Attack {
  return {
    name,
    closeCode,
    async run(attacker) {
      const { connection, link } = await dial(attacker);
      await handshake(attacker, connection, link, KEY);
      await misbehave(link, connection, attacker.endpoint.id);
      return connection;
    },
  };
}

function handshake(
  { endpoint, victim, clock }: Attacker,
  connection: Connection,
  link: Link,
  groupKey: GroupKey,
) {
  return initiateHandshake(handshakeChannel(connection, link), {
    networkId: NETWORK,
    groupId: GROUP,
    groupKey,
    sessionSecret: sessionSecretOf(connection, GROUP),
    localId: endpoint.id,
    remoteId: victim.id,
    incarnation: 1n,
    clock,
  });
}

/** Refused whoever dials: what the handshake must stop. */
export const handshakeAttacks: readonly Attack[] = [
  {
    name: 'the wrong group key',
    closeCode: CloseCode.InvalidProof,
    async run(attacker) {
      const { connection, link } = await dial(attacker);
      const wrong = GroupKey.from(new Uint8Array(32).fill(66));
      await handshake(attacker, connection, link, wrong).catch(() => {});
      return connection;
    },
  },
  sending('a tampered proof', CloseCode.InvalidProof, (connection, self) => {
    const { proof } = HandshakeStart.decode(startOn(connection, self));
    return startOn(connection, self, { proof: proof.map((byte, i) => (i === 31 ? byte ^ 1 : byte)) });
  }),
  {
    name: 'a proof replayed from another connection of the same two peers',
    closeCode: CloseCode.InvalidProof,
    async run(attacker) {
      const recorded = await dial(attacker);
      const { connection, link } = await dial(attacker);
      await link.send(startOn(recorded.connection, attacker.endpoint.id));
      await recorded.connection.close(CloseCode.Cancelled);
      return connection;
    },
  },
  sending("the victim's own proof", CloseCode.InvalidProof, (connection) =>
    startOn(connection, connection.remoteId),
  ),
  sending('another network', CloseCode.DifferentNetwork, (connection, self) =>
    startOn(connection, self, { networkId: UniqueId.from<NetworkId>('other') }),
  ),
  sending('an unknown group', CloseCode.GroupNotFound, (connection, self) =>
    startOn(connection, self, { groupId: UniqueId.from<GroupId>('other') }),
  ),
  sending('garbage', CloseCode.InvalidHandshake, () => new Uint8Array(500).fill(0xee)),
  sending('an empty frame', CloseCode.InvalidHandshake, () => new Uint8Array()),
  sending('trailing bytes', CloseCode.InvalidHandshake, (connection, self) =>
    Uint8Array.from([...startOn(connection, self), 0]),
  ),
  sending(
    'an oversized frame',
    CloseCode.ProtocolViolation,
    () => new Uint8Array(MAX_CONTROL_FRAME_BYTES + 1),
  ),
  {
    name: 'a connection that says nothing',
    closeCode: CloseCode.Timeout,
    run: async (attacker) => (await dial(attacker)).connection,
  },
  {
    name: 'the proof of the victim reflected by an acceptor without the key',
    closeCode: CloseCode.InvalidProof,
    async run({ endpoint, victim }) {
      for await (const connection of endpoint.inbound(Alpn.groups)) {
        if (connection.remoteId !== victim.id) continue;
        const link = await connection.acceptLink();
        const { proof, bonds, incarnation } = HandshakeStart.decode(
          (await link.receive()) ?? new Uint8Array(),
        );
        await link.send(HandshakeEnd.encode({ proof, bonds, incarnation }));
        return connection;
      }
      throw new Error('the victim never dialled');
    },
  },
];

const foreignBond = BondMessage.encode({
  type: 'BondFormed',
  value: [UniqueId.from<BondId>('not its id'), UniqueId.from<PeerId>('somebody')],
});

/** What a member may not do either. */
export const memberAttacks: readonly Attack[] = [
  bonded('garbage on the control link', CloseCode.ProtocolViolation, (link) =>
    link.send(new Uint8Array(10).fill(0xff)),
  ),
  bonded('an oversized control frame', CloseCode.ProtocolViolation, async (link) =>
    link.write(new Uint8Array(MAX_CONTROL_FRAME_BYTES + 1)),
  ),
  bonded('a second handshake on one connection', CloseCode.ProtocolViolation, (link, connection, self) =>
    link.send(startOn(connection, self)),
  ),
  bonded('a bond announced under a foreign id', CloseCode.ProtocolViolation, (link) =>
    link.send(foreignBond),
  ),
  bonded('the control link finished', CloseCode.ProtocolViolation, (link) => link.close()),
  bonded('more links than a bond has', CloseCode.ProtocolViolation, async (_, connection) => {
    for (let i = 0; i < 2; i += 1) await (await connection.openLink()).send(Uint8Array.of(1));
  }),
];

export type { CloseReason };
