import type { Logger } from '@mosaik/wire/runtime';
import type { KeyValueGroup } from './group-node.ts';

/** Logs what an operator wants to find afterwards: leaders, being online, and why a member stopped. */
export function logChanges(group: KeyValueGroup, logger: Logger): void {
  let before = group.status.value;
  group.status.subscribe((status) => {
    const { term, leader, role, online, state, problem } = status;
    if (leader !== before.leader || role !== before.role) logger.info({ term, leader, role }, 'leadership');
    if (online !== before.online) logger.info({ online, term }, online ? 'online' : 'offline');
    if (problem !== undefined && problem !== before.problem)
      logger.warn({ problem }, 'the member has a problem');
    if (state !== before.state && (state === 'diverged' || state === 'failed')) {
      logger.error({ state, problem }, 'the member stopped');
    }
    before = status;
  });
}
