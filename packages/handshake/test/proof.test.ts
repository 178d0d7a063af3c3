import { scryptSync } from 'node:crypto';
import { inspect } from 'node:util';
import { derive, type GroupId, idBytes, type PeerId, UniqueId } from '@mosaik/wire';
import { blake3 } from '@noble/hashes/blake3.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createProof, deriveBondId, deriveGroupId, GroupKey, verifyProof } from '../src/index.ts';
import { ALICE, BOB, exporter, GROUP, KEY, OTHER_KEY } from './fixtures.ts';

const sessionSecret = exporter('channel 1')(GROUP);
const alices = { groupKey: KEY, groupId: GROUP, sessionSecret, prover: ALICE };

describe('a proof', () => {
  it('is BLAKE3 keyed with secret ⊕ key over context, group and prover (protocol: Handshake)', () => {
    const key = sessionSecret.map((byte) => byte ^ 7);
    const message = Buffer.concat([Buffer.from('mosaik/groups/1 proof'), idBytes(GROUP), idBytes(ALICE)]);
    expect(createProof(alices)).toEqual(blake3(message, { key }));
  });

  it('verifies for exactly its key, group, channel and prover', () => {
    const proof = createProof(alices);
    expect(verifyProof({ ...alices, proof })).toBe(true);
    expect(verifyProof({ ...alices, proof, prover: BOB })).toBe(false);
    expect(verifyProof({ ...alices, proof, groupKey: OTHER_KEY })).toBe(false);
    expect(verifyProof({ ...alices, proof, groupId: UniqueId.from<GroupId>('other') })).toBe(false);
    expect(verifyProof({ ...alices, proof, sessionSecret: exporter('channel 2')(GROUP) })).toBe(false);
  });

  it('is false, never an exception, for whatever a peer sends', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (proof) => !verifyProof({ ...alices, proof })));
    for (const proof of [undefined, null, 'x'.repeat(32), {}, []])
      expect(verifyProof({ ...alices, proof: proof as never })).toBe(false);
  });

  it("throws on the caller's own mistakes", () => {
    expect(() => createProof({ ...alices, sessionSecret: new Uint8Array(16) })).toThrow(TypeError);
    expect(() =>
      verifyProof({ ...alices, sessionSecret: new Uint8Array(33), proof: new Uint8Array(32) }),
    ).toThrow(TypeError);
  });
});

describe('a group key', () => {
  it('comes from 32 bytes, which it copies, or from 64 hex digits', () => {
    const bytes = new Uint8Array(32).fill(7);
    const key = GroupKey.from(bytes);
    bytes.fill(0);
    expect(key.exportBytes()).toEqual(KEY.exportBytes());
    expect(GroupKey.from('07'.repeat(32)).exportBytes()).toEqual(KEY.exportBytes());
    expect(GroupKey.generate().exportBytes()).not.toEqual(GroupKey.generate().exportBytes());
  });

  it('refuses anything else without repeating it', () => {
    for (const secret of [new Uint8Array(31), 'hunter2', '07'.repeat(33), undefined]) {
      expect(() => GroupKey.from(secret as never)).toThrow(TypeError);
      expect(() => GroupKey.from(secret as never)).not.toThrow(/hunter2/);
    }
  });

  it('comes from a passphrase through scrypt, N = 2^17, r = 8, p = 1 (fixed: members must agree)', () => {
    const key = GroupKey.fromPassphrase('correct horse battery staple');
    // node:crypto is OpenSSL's implementation, independent of the one used.
    const parameters = { N: 2 ** 17, r: 8, p: 1, maxmem: 2 ** 28 };
    const expected = scryptSync('correct horse battery staple', 'mosaik/group-key/1', 32, parameters);
    expect(Buffer.from(key.exportBytes())).toEqual(expected);
    expect(GroupKey.fromPassphrase('correct horse battery staple', { salt: 's' }).exportBytes()).not.toEqual(
      key.exportBytes(),
    );
    expect(() => GroupKey.fromPassphrase('')).toThrow(TypeError);
  });

  it('shows itself as redacted, however it is printed', () => {
    const shown = [
      String(KEY),
      JSON.stringify({ KEY }),
      inspect(KEY),
      inspect({ KEY }, { showHidden: true }),
      `${KEY}`,
    ];
    for (const text of shown) {
      expect(text).toContain('redacted');
      expect(text).not.toMatch(/0707|7, 7/);
    }
  });
});

describe('derived names', () => {
  it('bond ids are equal for both sides, and differ by pair and by key', () => {
    expect(deriveBondId(KEY, ALICE, BOB)).toBe(deriveBondId(KEY, BOB, ALICE));
    expect(deriveBondId(KEY, ALICE, BOB)).not.toBe(deriveBondId(OTHER_KEY, ALICE, BOB));
    expect(deriveBondId(KEY, ALICE, BOB)).not.toBe(deriveBondId(KEY, ALICE, UniqueId.from<PeerId>('carol')));
  });

  it('a group id is hashed(key), then derived with each component in order (protocol: Ids)', () => {
    const consensusDigest = new Uint8Array(32).fill(1);
    const [machineSignature, stateSyncSignature, v1, v2] = ['m', 's', 'v1', 'v2'].map((x) =>
      UniqueId.from<UniqueId>(x),
    ) as [UniqueId, UniqueId, UniqueId, UniqueId];
    const base = { key: KEY, consensusDigest, machineSignature, stateSyncSignature };
    let expected = UniqueId.hashed(UniqueId.from<UniqueId>('07'.repeat(32)));
    expected = derive(expected, consensusDigest);
    expected = derive(expected, machineSignature);
    expected = derive(expected, stateSyncSignature);
    expect(deriveGroupId(base)).toBe(expected);
    expect(deriveGroupId({ ...base, validatorSignatures: [v1, v2] })).toBe(derive(derive(expected, v1), v2));
    const all = [
      base,
      { ...base, key: OTHER_KEY },
      { ...base, consensusDigest: new Uint8Array(32) },
      { ...base, machineSignature: v1 },
      { ...base, stateSyncSignature: v1 },
      { ...base, validatorSignatures: [v1] },
      { ...base, validatorSignatures: [v1, v2] },
      { ...base, validatorSignatures: [v2, v1] },
    ].map(deriveGroupId);
    expect(new Set(all).size).toBe(all.length);
  });
});
