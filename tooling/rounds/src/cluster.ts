import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { GroupKey, SecretKey } from '@mosaik/network';
import type { LedgerEntry } from './ledger.ts';
import type { Links } from './links.ts';
import { Member } from './member.ts';
import type { Deed, MemberStatus } from './messages.ts';
import type { RoundsInit } from './rounds.ts';

/** After faults end, the group is whole again within this. */
const RECOVERY_LIMIT_MS = 90_000;
const POLL_MS = 50;

/** The voters of one group, each a process with a directory. */
export class Cluster {
  readonly members: readonly Member[];
  readonly links: Links;

  private constructor(members: readonly Member[], links: Links) {
    this.members = members;
    this.links = links;
  }

  /** Prepares the members below `directory`; starts none. */
  static async create(
    { executable, nodes, forgets = false }: Pick<RoundsInit, 'executable' | 'nodes' | 'forgets'>,
    directory: string,
    links: Links,
  ): Promise<Cluster> {
    const groupKey = Buffer.from(GroupKey.generate().exportBytes()).toString('hex');
    const keys = Array.from({ length: nodes }, () => SecretKey.generate());
    const voters = keys.map((key) => key.id);
    const members: Member[] = [];
    for (const [i, key] of keys.entries()) {
      const home = join(directory, `n${i}`);
      await mkdir(home, { recursive: true });
      const start = {
        directory: home,
        groupKey,
        secretKey: Buffer.from(key.exportSeed()).toString('hex'),
        voters,
        listen: links.listen(i),
        advertise: links.address(i),
        bootstrap: voters.flatMap((id, j) => (j === i ? [] : [`${id}@${links.address(j)}`])),
        forgets,
      };
      members.push(new Member(`n${i}`, executable, start, links.prefix(i)));
    }
    return new Cluster(members, links);
  }

  async start(index: number): Promise<void> {
    const member = this.members[index];
    if (member && !member.running) await member.start();
  }

  async kill(index: number): Promise<void> {
    await this.members[index]?.kill();
  }

  /** Who says that it leads, in the highest term; anybody when nobody does. */
  async leader(): Promise<number> {
    const statuses = await this.#statuses();
    let leader = -1;
    for (const [i, status] of statuses.entries())
      if (status?.leads && status.term > (statuses[leader]?.term ?? -1)) leader = i;
    return Math.max(0, leader);
  }

  /** Ends all faults: whoever is dead or stopped goes on, every way is open. */
  async mend(): Promise<void> {
    await this.links.heal();
    for (const member of this.members) if (member.paused) member.resume();
    for (const [i, member] of this.members.entries()) if (!member.running) await this.start(i);
  }

  /**
   * What all members hold, once all of them hold the same.
   *
   * @throws when that takes too long, or when they hold different things.
   */
  async settle(): Promise<LedgerEntry[]> {
    const untilMs = performance.now() + RECOVERY_LIMIT_MS;
    for (;;) {
      const statuses = await this.#statuses();
      const committed = statuses[0]?.committed;
      if (statuses.every((status) => status?.online && status.applied === committed)) break;
      const failed = statuses.findIndex((status) => status && status.state !== 'running');
      if (failed >= 0)
        throw new Error(`n${failed} is ${statuses[failed]?.state}: ${statuses[failed]?.problem}`);
      if (performance.now() > untilMs)
        throw new Error(`not whole again after ${RECOVERY_LIMIT_MS} ms: ${JSON.stringify(statuses)}`);
      await sleep(POLL_MS);
    }
    const all = await Promise.all(this.members.map((member) => member.ask({ type: 'all' })));
    const [first, ...others] = all.map((answer) => JSON.stringify(answer?.entries));
    for (const [i, other] of others.entries())
      if (other !== first) throw new Error(`n0 and n${i + 1} hold different states at one index`);
    return [...(all[0]?.entries ?? [])];
  }

  /** How often any member did that. */
  count(deed: Deed): number {
    return this.members.reduce((total, { deeds }) => total + (deeds.get(deed) ?? 0), 0);
  }

  async close(): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill()));
    await this.links.close();
  }

  #statuses(): Promise<(MemberStatus | undefined)[]> {
    return Promise.all(
      this.members.map(async (member) =>
        member.paused ? undefined : (await member.ask({ type: 'status' }))?.status,
      ),
    );
  }
}
