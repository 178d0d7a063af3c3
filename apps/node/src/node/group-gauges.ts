import { Gauge, type Registry } from 'prom-client';
import type { NodeStatus } from '../http/node-status.ts';

const ROLES: readonly NodeStatus['role'][] = ['leader', 'follower', 'candidate'];

/** Gauges of the group, read from its status whenever somebody collects. */
export function registerGroupGauges(registry: Registry, status: () => NodeStatus): void {
  const gauge = (name: string, help: string, read: (status: NodeStatus) => number) => {
    const instrument: Gauge = new Gauge({
      name: `mosaik_group_${name}`,
      help,
      registers: [registry],
      collect() {
        instrument.set(read(status()));
      },
    });
  };
  gauge('term', 'Current Raft term.', ({ term }) => term);
  gauge('commit_index', 'Highest log index known to be committed.', ({ committed }) => committed);
  gauge('applied_index', 'Highest log index applied to the state machine.', ({ applied }) => applied);
  gauge('log_index', 'Index of the last log entry.', ({ logPosition }) => logPosition.index);
  gauge('bonds', 'Own bonds.', ({ bonds }) => bonds.length);
  gauge(
    'known_bonds',
    'Bonds of the whole group that this node knows of.',
    ({ topology }) => topology.length,
  );
  gauge('leader_known', '1 when a leader is known.', ({ leader }) => (leader === null ? 0 : 1));
  gauge('online', '1 when this node can serve.', ({ online }) => (online ? 1 : 0));
  gauge('quorum_have', 'Members of the set in force that are reached.', ({ quorum }) => quorum.have);
  gauge('quorum_need', 'Members needed for a majority.', ({ quorum }) => quorum.need);
  const role = new Gauge({
    name: 'mosaik_group_role',
    help: '1 for the role that this node has.',
    labelNames: ['role'],
    registers: [registry],
    collect() {
      const current = status().role;
      for (const name of ROLES) role.set({ role: name }, name === current ? 1 : 0);
    },
  });
}
