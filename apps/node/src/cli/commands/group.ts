import { type PeerId, parseId } from '@mosaik/wire';
import type { Command } from 'commander';
import { type ClientFlags, createClient, withClientOptions } from '../client-options.ts';
import { UsageError } from '../usage-error.ts';

/** `transfer` and `voters list | add | remove`: who leads and who counts, through a running node. */
export function addGroupCommands(program: Command): void {
  withClientOptions(program.command('transfer'))
    .description("hand leadership over and print the new leader's peer id")
    .argument('[peer]', 'default: whoever is most up to date')
    .action(async (peer: string | undefined, flags: ClientFlags) => {
      const to = peer === undefined ? undefined : parsePeer(peer);
      const { leader } = await createClient(flags).transferLeadership(to);
      process.stdout.write(`${leader ?? ''}\n`);
    });

  const voters = program.command('voters').description('show and change the members that count');
  withClientOptions(voters.command('list'))
    .description(
      'print the list of the beginning, the voters now, and those that have yet to catch up, as JSON',
    )
    .action(async (flags: ClientFlags) => {
      process.stdout.write(`${JSON.stringify(await createClient(flags).voters(), null, 2)}\n`);
    });
  withClientOptions(voters.command('add'))
    .description('make a member a voter; returns once it has caught up and counts')
    .argument('<peer>')
    .action(async (peer: string, flags: ClientFlags) => {
      await createClient(flags).addVoter(parsePeer(peer));
    });
  withClientOptions(voters.command('remove'))
    .description('remove a voter; a leader hands over')
    .argument('<peer>')
    .action(async (peer: string, flags: ClientFlags) => {
      await createClient(flags).removeVoter(parsePeer(peer));
    });
}

function parsePeer(text: string): PeerId {
  try {
    return parseId<PeerId>(text);
  } catch {
    throw UsageError.for('<peer>', text, 'expected a peer id of 64 hex digits');
  }
}
