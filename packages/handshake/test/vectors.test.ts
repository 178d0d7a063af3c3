import { readFileSync } from 'node:fs';
import { consensusDigest, type Id, idFromBytes } from '@mosaik/wire';
import { describe, expect, it } from 'vitest';
import { sealBonds } from '../src/bonds-list.ts';
import { createProof, deriveBondId, deriveGroupId, GroupKey, verifyProof } from '../src/index.ts';

const file: { handshake: Record<string, string> } = JSON.parse(
  readFileSync(new URL('../../../tooling/vectors/vectors.json', import.meta.url), 'utf8'),
);

const id = <I extends Id<string>>(byte: number) => idFromBytes<I>(new Uint8Array(32).fill(byte));
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

// The values of tooling/vectors/src/ids.rs and, for the consensus configuration, messages.rs.
const groupKey = GroupKey.from(new Uint8Array(32).fill(7));
const sessionSecret = new Uint8Array(32).fill(0xa5);
const group = {
  key: groupKey,
  consensusDigest: consensusDigest({
    heartbeatIntervalMs: 500,
    heartbeatJitterMs: 150,
    maxMissedHeartbeats: 10,
    electionTimeoutMs: 2000,
    electionTimeoutJitterMs: 500,
    bootstrapDelayMs: 3000,
    forwardTimeoutMs: 2000,
    queryTimeoutMs: 2000,
    quorum: { type: 'Dynamic' },
    maxCommandBytes: 1 << 20,
    maxSessions: 10_000,
  }),
  machineSignature: id<never>(1),
  stateSyncSignature: id<never>(2),
};
const proofOf = (prover: number) => ({
  groupKey,
  groupId: id<never>(7),
  sessionSecret,
  prover: id<never>(prover),
});

const ours: Readonly<Record<string, string>> = {
  GroupId: deriveGroupId(group),
  'GroupId with validators': deriveGroupId({ ...group, validatorSignatures: [id<never>(3), id<never>(4)] }),
  BondId: deriveBondId(groupKey, id<never>(2), id<never>(1)),
  'proof of the lower': hex(createProof(proofOf(1))),
  'proof of the higher': hex(createProof(proofOf(2))),
  'no bonds, sealed': hex(sealBonds([], proofOf(1))),
};

describe('derives what the Rust crate blake3 makes of the same inputs (protocol: Ids, Handshake)', () => {
  it.each(Object.entries(file.handshake))('%s', (name, expected) => {
    expect(ours[name]).toBe(expected);
  });

  it('and every derivation has its vector', () => {
    expect(Object.keys(ours).sort()).toEqual(Object.keys(file.handshake).sort());
  });

  it('takes the proof that Rust made', () => {
    const proof = Buffer.from(file.handshake['proof of the lower'] ?? '', 'hex');
    expect(verifyProof({ ...proofOf(1), proof })).toBe(true);
    expect(verifyProof({ ...proofOf(2), proof })).toBe(false);
  });
});
