import { type PeerId, type Ticket, UniqueId } from '@mosaik/wire';
import { VirtualClock } from '@mosaik/wire/testing';
import { generateKeyPair } from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import { InvalidTicket } from '../src/index.ts';
import { issueTicket, type JwtInit, jwt } from '../src/jwt/index.ts';
import { ALICE, BOB } from './fixtures.ts';

type Keys = Awaited<ReturnType<typeof generateKeyPair>>;
let keys: Keys;
let foreign: Keys;
const clock = new VirtualClock();
const { signal } = new AbortController();
const inOneHour = () => new Date(clock.wallMs() + 3_600_000);

beforeAll(async () => {
  keys = await generateKeyPair('EdDSA', { extractable: true });
  foreign = await generateKeyPair('EdDSA', { extractable: true });
});

function validator(overrides: Partial<JwtInit> = {}) {
  return jwt({
    key: keys.publicKey,
    algorithms: ['EdDSA'],
    issuer: 'ci',
    audience: 'prod',
    clock,
    ...overrides,
  });
}

function issue(overrides: Partial<Parameters<typeof issueTicket>[0]> = {}): Promise<Ticket> {
  return issueTicket({
    key: keys.privateKey,
    algorithm: 'EdDSA',
    peer: ALICE,
    issuer: 'ci',
    audience: 'prod',
    expires: inOneHour(),
    clock,
    ...overrides,
  });
}

async function reasonFor(ticket: Ticket, peer: PeerId = ALICE, using = validator()): Promise<string> {
  const error = await using.validate(ticket, peer, { signal }).then(
    () => 'valid',
    (e: unknown) => e,
  );
  if (error === 'valid') return 'valid';
  expect(error).toBeInstanceOf(InvalidTicket);
  return (error as InvalidTicket).reason;
}

describe('a JWT ticket', () => {
  it('admits the peer it was issued for until it expires', async () => {
    const expires = inOneHour();
    expect(await validator().validate(await issue({ expires }), ALICE, { signal })).toEqual(expires);
    expect(await validator().validate(await issue({ expires: 'never' }), ALICE, { signal })).toBe('never');
  });

  it('admits nobody else, so that a copied one is worthless', async () => {
    expect(await reasonFor(await issue(), BOB)).toBe('subject');
  });

  it('is refused with the reason', async () => {
    expect(await reasonFor(await issue({ expires: new Date(clock.wallMs() - 1000) }))).toBe('expired');
    expect(await reasonFor(await issue({ issuer: 'other' }))).toBe('issuer');
    expect(await reasonFor(await issue({ audience: 'staging' }))).toBe('audience');
    expect(await reasonFor(await issue({ audience: undefined }))).toBe('audience');
    expect(await reasonFor(await issue({ key: foreign.privateKey }))).toBe('signature');
    const ticket = await issue();
    expect(await reasonFor({ ...ticket, data: ticket.data.subarray(0, 50) })).toBe('malformed');
    expect(await reasonFor({ ...ticket, data: Uint8Array.of(0xff, 0, 1) })).toBe('malformed');
  });

  it('is judged by the algorithms of the validator, never by its own header', async () => {
    const header = Buffer.from('{"alg":"none"}').toString('base64url');
    const payload = Buffer.from(JSON.stringify({ sub: ALICE, iss: 'ci', aud: 'prod' })).toString('base64url');
    const unsigned = { ...(await issue()), data: Buffer.from(`${header}.${payload}.`) };
    expect(await reasonFor(unsigned)).toBe('signature');
    const secret = new Uint8Array(32).fill(1);
    expect(await reasonFor(await issue({ key: secret, algorithm: 'HS256' }))).toBe('signature');
    const symmetric = validator({ key: secret, algorithms: ['HS256'] });
    expect(await reasonFor(await issue({ key: secret, algorithm: 'HS256' }), ALICE, symmetric)).toBe('valid');
  });

  it('can be taken back, and a hook that fails refuses', async () => {
    const revoked = new Set(['ticket-1']);
    const using = validator({ revoked: ({ claims }) => revoked.has(String(claims.jti)) });
    expect(await reasonFor(await issue({ ticketId: 'ticket-1' }), ALICE, using)).toBe('revoked');
    expect(await reasonFor(await issue({ ticketId: 'ticket-2' }), ALICE, using)).toBe('valid');
    const failing = validator({ revoked: async () => Promise.reject(new Error('list out of reach')) });
    expect(await reasonFor(await issue(), ALICE, failing)).toBe('unavailable');
  });

  it('passes on who is told of revocations', () => {
    const onRevoked = () => () => {};
    expect(validator({ onRevoked }).onRevoked).toBe(onRevoked);
    expect(validator()).not.toHaveProperty('onRevoked');
  });

  it('tolerates the clock difference that it is told to', async () => {
    const ticket = await issue({ expires: new Date(clock.wallMs() - 1000) });
    expect(await reasonFor(ticket, ALICE, validator({ clockToleranceMs: 5000 }))).toBe('valid');
  });
});

describe("the validator's signature", () => {
  it('covers what decides, and neither the key nor the hook', () => {
    const base = validator().signature;
    expect(validator({ key: foreign.publicKey, revoked: () => false }).signature).toBe(base);
    expect(validator({ algorithms: ['EdDSA', 'ES256'] }).signature).toBe(
      validator({ algorithms: ['ES256', 'EdDSA'] }).signature,
    );
    const different = [
      validator({ issuer: 'x' }),
      validator({ audience: undefined }),
      validator({ algorithms: ['ES256'] }),
      validator({ clockToleranceMs: 1 }),
      validator({ ticketClass: UniqueId.from<UniqueId>('x') }),
    ].map((v) => v.signature);
    expect(new Set([base, ...different]).size).toBe(6);
  });

  it('needs an algorithm and an issuer', () => {
    expect(() => validator({ algorithms: [] })).toThrow(TypeError);
    expect(() => validator({ issuer: '' })).toThrow(TypeError);
  });
});
