import { GroupKey } from '@mosaik/handshake';
import type { Command } from 'commander';
import { createPrivateFile } from '../../files/create-private-file.ts';
import { formatGroupKey } from '../../files/group-key.ts';
import { describeError } from '../describe-error.ts';
import { UsageError } from '../usage-error.ts';

export function addKeygenCommand(program: Command): void {
  program
    .command('keygen')
    .description('make a group key: the secret that the members of a group share')
    .option('--out <file>', 'write it there, readable by you alone; default: print it')
    .action(async ({ out }: { out?: string }) => {
      const text = formatGroupKey(GroupKey.generate());
      if (out === undefined) {
        process.stdout.write(text);
        return;
      }
      try {
        await createPrivateFile(out, text);
      } catch (error) {
        throw UsageError.for('--out', out, `can not be written: ${describeError(error)}`, { cause: error });
      }
    });
}
