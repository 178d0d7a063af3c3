import { buffer } from 'node:stream/consumers';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type ClientFlags, createClient, withClientOptions } from '../client-options.ts';
import { CommandError } from '../command-error.ts';

interface ReadFlags extends ClientFlags {
  readonly consistency: 'weak' | 'strong';
  readonly minIndex?: number;
}

interface WriteFlags extends ClientFlags {
  readonly cas?: number;
}

/** `kv get | put | del`: the replicated map of a running node. */
export function addKvCommand(program: Command): void {
  const kv = program.command('kv').description('read and write the replicated map through a running node');

  withClientOptions(kv.command('get'))
    .description("write the key's value to stdout; exit code 1 when there is no such key")
    .argument('<key>')
    .addOption(new Option('--consistency <kind>').choices(['weak', 'strong']).default('strong'))
    .option('--min-index <index>', 'wait until this write is applied', parseIndex)
    .action(async (key: string, flags: ReadFlags) => {
      const { consistency, minIndex } = flags;
      const answer = await createClient(flags).get(key, { consistency, minIndex });
      if (!answer) throw new CommandError(`there is no key ${JSON.stringify(key)}`);
      process.stdout.write(answer.value);
    });

  withClientOptions(kv.command('put'))
    .description('set the key and print the index of the write')
    .argument('<key>')
    .argument('[value]', 'default: what comes from stdin')
    .option('--cas <index>', 'only if it was last written at this index; 0: only if absent', parseIndex)
    .action(async (key: string, value: string | undefined, flags: WriteFlags) => {
      const bytes = value === undefined ? await buffer(process.stdin) : Buffer.from(value);
      const index = await createClient(flags).put(key, bytes, { cas: flags.cas });
      process.stdout.write(`${index}\n`);
    });

  withClientOptions(kv.command('del'))
    .description('remove the key and print the index of the write')
    .argument('<key>')
    .option('--cas <index>', 'only if it was last written at this index', parseIndex)
    .action(async (key: string, flags: WriteFlags) => {
      const index = await createClient(flags).delete(key, { cas: flags.cas });
      process.stdout.write(`${index}\n`);
    });
}

function parseIndex(text: string): number {
  const index = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(index))
    throw new InvalidArgumentError('Expected a whole number.');
  return index;
}
