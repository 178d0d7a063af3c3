import { GroupKey, InvalidTicket, type TicketValidator } from '@mosaik/groups';
import { CloseCode, type PeerId, UniqueId } from '@mosaik/wire';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Cluster } from './cluster.ts';

const ticketClass = UniqueId.from('mosaik/test/tickets');
const key = GroupKey.generate();

/** Accepts the tickets it was told of, until they expire or are revoked. */
class List implements TicketValidator {
  readonly ticketClass = ticketClass;
  readonly signature = UniqueId.from('mosaik/test/list');
  readonly admitted = new Map<PeerId, Date | 'never'>();
  readonly #listeners = new Set<() => void>();

  async validate(_ticket: unknown, peer: PeerId): Promise<Date | 'never'> {
    const expiration = this.admitted.get(peer);
    if (!expiration) throw new InvalidTicket('revoked', `${peer} is not on the list`);
    return expiration;
  }

  onRevoked(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  revoke(peer: PeerId): void {
    this.admitted.delete(peer);
    for (const listener of this.#listeners) listener();
  }
}

let cluster: Cluster;
beforeEach(() => {
  cluster = new Cluster();
});
afterEach(() => cluster.close());

describe('a group that requires tickets', () => {
  async function pair() {
    const [a, b] = [await cluster.start(), await cluster.start()];
    const list = new List();
    const join = (node: typeof a) => node.groups.withKey(key).requireTicket(list).join();
    return { a, b, list, groups: [join(a), join(b)] as const };
  }

  it('bonds only with peers whose ticket is accepted, as soon as it is', async () => {
    const { a, b, list, groups } = await pair();
    list.admitted.set(a.id, 'never').set(b.id, 'never');
    a.discovery.addTicket({ ticketClass, data: new Uint8Array([1]) });
    await cluster.until(() => b.discovery.entry(a.id)?.entry.tickets.length === 1);
    await cluster.clock.advance(5_000);
    expect(groups[0].bonds.size + groups[1].bonds.size).toBe(0);
    b.discovery.addTicket({ ticketClass, data: new Uint8Array([2]) });
    await cluster.until(() => groups[0].bonds.size === 1 && groups[1].bonds.size === 1);
  });

  it('ends the bond with NotAllowed when the ticket expires', async () => {
    const { a, b, list, groups } = await pair();
    list.admitted.set(a.id, 'never').set(b.id, new Date(cluster.clock.wallMs() + 20_000));
    for (const node of [a, b]) node.discovery.addTicket({ ticketClass, data: new Uint8Array([1]) });
    await cluster.until(() => groups[1].bonds.size === 1);
    const bond = groups[1].bonds.get(a.id);
    const { code } = await cluster.settled(bond?.closed ?? Promise.reject(new Error('no bond')));
    expect(code).toBe(CloseCode.NotAllowed);
    await cluster.until(() => groups[0].bonds.size === 0 && groups[1].bonds.size === 0);
    await cluster.clock.advance(5_000);
    expect(groups[0].bonds.size).toBe(0);
  });

  it('ends the bond with NotAllowed when the ticket is revoked', async () => {
    const { a, b, list, groups } = await pair();
    list.admitted.set(a.id, 'never').set(b.id, 'never');
    for (const node of [a, b]) node.discovery.addTicket({ ticketClass, data: new Uint8Array([1]) });
    await cluster.until(() => groups[1].bonds.size === 1);
    const bond = groups[1].bonds.get(a.id);
    list.revoke(b.id);
    const { code } = await cluster.settled(bond?.closed ?? Promise.reject(new Error('no bond')), 1000);
    expect(code).toBe(CloseCode.NotAllowed);
  });
});
