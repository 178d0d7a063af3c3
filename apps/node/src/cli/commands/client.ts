import type { Command } from 'commander';
import { type ClientFlags, createClient, withClientOptions } from '../client-options.ts';
import { CommandError } from '../command-error.ts';

/** `status`, `peers` and `leader`: questions to a running node. */
export function addClientCommands(program: Command): void {
  withClientOptions(program.command('status'))
    .description('print what a running node says of itself, as JSON')
    .action(async (flags: ClientFlags) => {
      printJson(await createClient(flags).status());
    });
  withClientOptions(program.command('peers'))
    .description('print the peers that a running node knows, as JSON')
    .action(async (flags: ClientFlags) => {
      printJson(await createClient(flags).peers());
    });
  withClientOptions(program.command('leader'))
    .description("print the leader's peer id; fails when none is known")
    .action(async (flags: ClientFlags) => {
      const client = createClient(flags);
      const { leader } = await client.leader();
      if (leader === null) throw new CommandError(`${client.url}: no leader is known`);
      process.stdout.write(`${leader}\n`);
    });
}

function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}
