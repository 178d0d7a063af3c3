import { CloseCode, type SignedPeerEntry, UniqueId } from '@mosaik/wire';
import { describe, expect, it } from 'vitest';
import type { BondAdmission } from '../src/index.ts';
import { introduce, type Node, World } from './mesh.ts';

const ticketClass = UniqueId.from<UniqueId>('test tickets');

/** A ticket is its expiry in wall-clock milliseconds as text. */
const ticket = (expiresAtMs: number) => ({ ticketClass, data: Buffer.from(String(expiresAtMs)) });

/** Admits holders of an unexpired ticket that is not revoked. */
function admissionOf(world: World, revoked: Set<string> = new Set()) {
  return async ({ entry }: SignedPeerEntry): Promise<BondAdmission> => {
    const expiresAtMs = Number(Buffer.from(entry.tickets[0]?.data ?? []).toString());
    if (expiresAtMs <= world.clock.wallMs() || revoked.has(entry.peerId))
      return { closeCode: CloseCode.NotAllowed, reason: 'no valid ticket' };
    return { ok: true, expiresAtMs };
  };
}

async function ticketed(ttlMs: number, revoked?: Set<string>): Promise<{ world: World; a: Node; b: Node }> {
  const world = new World();
  const admission = admissionOf(world, revoked);
  const a = await world.node({ admission });
  const b = await world.node({ admission });
  for (const node of [a, b]) node.directory.update({ tickets: [ticket(world.clock.wallMs() + ttlMs)] });
  introduce(a, b);
  return { world, a, b };
}

describe('admission', () => {
  it('by ticket lets a bond form, and its expiry ends it with NotAllowed', async () => {
    const { world, a, b } = await ticketed(60_000);
    await world.bonded(a, b);
    await world.clock.advance(50_000);
    expect(a.size).toBe(1);
    await world.clock.advance(10_000);
    expect([a.size, b.size]).toEqual([0, 0]);
    expect([...a.downs, ...b.downs].map(({ code }) => code)).toContain(CloseCode.NotAllowed);
  });

  it('goes on when the peer renews its ticket in time: the update crosses the bond itself', async () => {
    const { world, a, b } = await ticketed(60_000);
    await world.bonded(a, b);
    const bond = a.bond(b);
    for (const node of [a, b]) node.directory.update({ tickets: [ticket(world.clock.wallMs() + 200_000)] });
    await world.clock.advance(150_000);
    expect(a.bond(b)).toBe(bond);
    expect(a.directory.entry(b.id)?.entry.version).toEqual(b.directory.local.value.entry.version);
  });

  it('ends at once when an update comes without a valid ticket', async () => {
    const { world, a, b } = await ticketed(60_000);
    await world.bonded(a, b);
    b.directory.update({ tickets: [] });
    await world.clock.advance(50);
    expect(a.downs.at(-1)).toMatchObject({ code: CloseCode.NotAllowed, remote: false });
    expect(b.downs.at(-1)).toMatchObject({ code: CloseCode.NotAllowed, remote: true });
  });

  it('ends at once when a ticket is revoked', async () => {
    const revoked = new Set<string>();
    const { world, a, b } = await ticketed(60_000, revoked);
    await world.bonded(a, b);
    a.manager?.recheckAdmissions();
    await world.clock.advance(50);
    expect(a.size).toBe(1);
    revoked.add(b.id);
    a.manager?.recheckAdmissions();
    await world.clock.advance(50);
    expect(a.downs.at(-1)).toMatchObject({ code: CloseCode.NotAllowed });
    expect([a.size, b.size]).toEqual([0, 0]);
  });

  it('refused at the handshake: the peer pushes its newest entry, tries once more, then waits for news', async () => {
    const world = new World();
    const a = await world.node({ admission: admissionOf(world) });
    const b = await world.node();
    introduce(a, b);
    await world.clock.advance(30_000);
    expect([a.size, b.size]).toEqual([0, 0]);
    expect(a.directory.syncs + b.directory.syncs).toBeGreaterThan(0);
    expect(a.directory.syncs + b.directory.syncs).toBeLessThanOrEqual(4);
    b.directory.update({ tickets: [ticket(world.clock.wallMs() + 60_000)] });
    introduce(a, b);
    await world.clock.until(() => a.size === 1 && b.size === 1, 1000);
  });

  it('by a newest entry that the acceptor had not seen succeeds on the one retry', async () => {
    const world = new World();
    const a = await world.node({ admission: admissionOf(world) });
    const b = await world.node();
    introduce(a, b);
    // Renewed a moment ago: a still has the entry without a ticket.
    b.directory.update({ tickets: [ticket(world.clock.wallMs() + 60_000)] });
    await world.clock.until(() => a.size === 1 && b.size === 1, 1000);
  });

  it('that was given during a handshake is asked for again after it: a revocation in between is not missed', async () => {
    const world = new World();
    let revoked = false;
    let answer: (admission: BondAdmission) => void = () => {};
    const admission = (): Promise<BondAdmission> =>
      revoked
        ? Promise.resolve({ closeCode: CloseCode.NotAllowed, reason: 'revoked' })
        : new Promise((resolve) => {
            answer = resolve;
          });
    const a = await world.node({ admission });
    const b = await world.node();
    introduce(a, b);
    await world.clock.advance(150);
    revoked = true;
    a.manager?.recheckAdmissions();
    answer({ ok: true });
    await world.clock.advance(1000);
    expect([a.size, b.size]).toEqual([0, 0]);
    expect(a.downs.at(-1)).toMatchObject({ code: CloseCode.NotAllowed });
  });

  it('that throws refuses', async () => {
    const world = new World();
    const a = await world.node({ admission: async () => Promise.reject(new Error('validator broken')) });
    const b = await world.node();
    introduce(a, b);
    await world.clock.advance(10_000);
    expect([a.size, b.size]).toEqual([0, 0]);
  });

  it('of one peer is not touched by an entry of another that travels over the bond', async () => {
    const { world, a, b } = await ticketed(60_000);
    const c = await world.node({ join: false });
    c.directory.update({ tickets: [] });
    await world.bonded(a, b);
    const bond = a.bond(b);
    b.directory.feed(c.directory.local.value);
    a.directory.feed(c.directory.local.value);
    await world.clock.advance(5000);
    expect(a.bond(b)).toBe(bond);
  });
});
