import type { Command } from 'commander';
import { openIdentity } from '../../files/identity.ts';
import { UsageError } from '../usage-error.ts';

export function addIdCommand(program: Command): void {
  program
    .command('id')
    .description("print the node's peer id, making its identity first where there is none")
    .option('--data-dir <dir>', 'where the identity is kept (MOSAIK_DATA_DIR)')
    .action(async ({ dataDir }: { dataDir?: string }) => {
      const [directory, source] =
        dataDir === undefined ? [process.env.MOSAIK_DATA_DIR, 'MOSAIK_DATA_DIR'] : [dataDir, '--data-dir'];
      if (!directory) throw new UsageError('--data-dir is missing: where is the identity kept?');
      const { id } = await openIdentity(directory, source);
      process.stdout.write(`${id}\n`);
    });
}
