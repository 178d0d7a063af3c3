import { CommandError } from '../cli/command-error.ts';
import type { NodeStatus } from '../http/node-status.ts';
import type { ChildNode } from './child-node.ts';
import type { DemoGroup } from './demo-group.ts';
import { Steps } from './step.ts';

interface Agreement {
  readonly leader: ChildNode;
  readonly followers: readonly ChildNode[];
  readonly term: number;
}

/**
 * A failover from beginning to end, seen as a user would see it: over HTTP. Prints every step with its time.
 *
 * @throws StepError that names the step and what was missing.
 */
export async function rehearse(
  group: DemoGroup,
  print: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const { nodes } = group;
  const steps = new Steps(print, signal);

  await steps.run('processes started', async () => {
    await group.start();
    return [undefined, nodes.map(({ name, pid }) => `${name}: pid ${pid}`).join(', ')];
  });
  await steps.wait('mesh formed', () => meshOf(nodes));
  const before = await steps.wait('leader elected', () => agreementOf(nodes));

  const writer = before.followers[0] ?? before.leader;
  const firstIndex = await steps.wait('write through a follower', async () => {
    const index = await put(writer, 'demo/before', 'written before the leader was killed');
    return [index, `${writer.name}, index ${index}`];
  });
  await steps.run('read back from every member', () =>
    readBack(nodes, 'demo/before', 'written before the leader was killed', firstIndex),
  );

  await steps.run('leader killed', async () => {
    await before.leader.kill();
    return [undefined, `SIGKILL to ${before.leader.name}`];
  });
  const survivors = before.followers;
  const after = await steps.wait('new leader', async () => {
    const [agreement, said] = await agreementOf(survivors);
    if (agreement.term <= before.term) throw new CommandError(`still term ${agreement.term}`);
    return [agreement, said];
  });
  const secondIndex = await steps.wait('next write committed', async () => {
    const through = after.followers[0] ?? after.leader;
    const index = await put(through, 'demo/after', 'written after the leader was killed');
    return [index, `through ${through.name}, index ${index}`];
  });
  await steps.run('read back from the survivors', () =>
    readBack(survivors, 'demo/after', 'written after the leader was killed', secondIndex),
  );

  await steps.run('killed member restarted', async () => {
    await group.restart(before.leader);
    return [undefined, `${before.leader.name}, pid ${before.leader.pid}`];
  });
  await steps.wait('caught up', async () => {
    const status = await before.leader.api.status();
    if (!status.online) throw new CommandError(`${before.leader.name} is not online`);
    if (status.applied < secondIndex)
      throw new CommandError(`${before.leader.name} applied ${status.applied}`);
    return [undefined, `${before.leader.name} applied ${status.applied}`];
  });
  await steps.wait('mesh complete again', () => meshOf(nodes));
  await steps.wait('everyone counts again', () => everyoneCounts(nodes));
  await steps.run('read back from every member', () =>
    readBack(nodes, 'demo/after', 'written after the leader was killed', secondIndex),
  );
  await steps.wait('all states equal', () => equalStates(nodes));
  steps.finish(`${nodes.length} processes, 1 killed`);
}

/** Every node bonded with all others, and every node knowing of every bond. */
async function meshOf(nodes: readonly ChildNode[]): Promise<readonly [undefined, string]> {
  const [others, pairs] = [nodes.length - 1, (nodes.length * (nodes.length - 1)) / 2];
  for (const [node, { bonds, topology }] of await statuses(nodes)) {
    if (bonds.length !== others)
      throw new CommandError(`${node.name} has ${bonds.length} of ${others} bonds`);
    if (topology.length !== pairs)
      throw new CommandError(`${node.name} knows of ${topology.length} of ${pairs} bonds`);
  }
  return [undefined, `${nodes.length} nodes, ${pairs} bonds, known to all`];
}

/** All online, and of one mind on who leads in which term. */
async function agreementOf(nodes: readonly ChildNode[]): Promise<readonly [Agreement, string]> {
  const all = await statuses(nodes);
  for (const [node, { online, leader }] of all) {
    if (leader === null) throw new CommandError(`${node.name} knows no leader`);
    if (!online) throw new CommandError(`${node.name} is not online`);
  }
  if (new Set(all.map(([, { leader, term }]) => `${leader} in ${term}`)).size !== 1) {
    throw new CommandError('they do not agree on a leader');
  }
  const leader = all.find(([, { role }]) => role === 'leader');
  if (!leader) throw new CommandError('the leader is none of them');
  const [node, { term }] = leader;
  const followers = nodes.filter((other) => other !== node);
  return [{ leader: node, followers, term }, `${node.name} in term ${term}`];
}

async function everyoneCounts(nodes: readonly ChildNode[]): Promise<readonly [undefined, string]> {
  for (const [node, { members }] of await statuses(nodes)) {
    if (members.length !== nodes.length)
      throw new CommandError(`to ${node.name}, ${members.length} of ${nodes.length} count`);
  }
  return [undefined, `${nodes.length} in the quorum's set`];
}

async function equalStates(nodes: readonly ChildNode[]): Promise<readonly [undefined, string]> {
  const all = await statuses(nodes);
  const states = new Set(
    all.map(([, { state }]) => (state ? `${state.digest} at ${state.applied}` : 'none')),
  );
  const [state] = states;
  if (states.size !== 1 || !state || state === 'none')
    throw new CommandError(`they hold ${[...states].join(', ')}`);
  const size = all[0]?.[1].state?.size;
  return [undefined, `${size} keys, digest ${state.slice(0, 16)}`];
}

async function put(node: ChildNode, key: string, value: string): Promise<number> {
  return node.api.put(key, Buffer.from(value));
}

/** A strong read, and a weak one that waits for the write, at every node. */
async function readBack(
  nodes: readonly ChildNode[],
  key: string,
  value: string,
  minIndex: number,
): Promise<readonly [undefined, string]> {
  for (const node of nodes) {
    for (const options of [{ consistency: 'strong' }, { consistency: 'weak', minIndex }] as const) {
      const answer = await node.api.get(key, options);
      const found = answer && Buffer.from(answer.value).toString();
      if (found !== value) {
        throw new CommandError(`a ${options.consistency} read at ${node.name} gave ${JSON.stringify(found)}`);
      }
    }
  }
  return [undefined, nodes.map(({ name }) => name).join(', ')];
}

async function statuses(nodes: readonly ChildNode[]): Promise<[ChildNode, NodeStatus][]> {
  return Promise.all(
    nodes.map(async (node): Promise<[ChildNode, NodeStatus]> => [node, await node.api.status()]),
  );
}
