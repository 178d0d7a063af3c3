import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { openIdentity } from '../../files/identity.ts';
import { LOG_DIRECTORY } from '../../files/log-directory.ts';
import { CommandError } from '../command-error.ts';
import { describeError } from '../describe-error.ts';
import { UsageError } from '../usage-error.ts';

interface RecoverFlags {
  readonly dataDir?: string;
  readonly forceNewGroup?: true;
}

/** `recover --force-new-group`: begins a group of voters anew from one log, by hand, while its node is stopped. */
export function addRecoverCommand(program: Command): void {
  program
    .command('recover')
    .description('begin a group of voters anew from the log of this node, when a majority is lost for ever')
    .addOption(new Option('--force-new-group', 'required: says that you know what is given up'))
    .option('--data-dir <dir>', 'of the node, which must be stopped (MOSAIK_DATA_DIR)')
    .action(async ({ dataDir, forceNewGroup: forced }: RecoverFlags) => {
      const [directory, source] =
        dataDir === undefined ? [process.env.MOSAIK_DATA_DIR, 'MOSAIK_DATA_DIR'] : [dataDir, '--data-dir'];
      if (!directory) throw new UsageError('--data-dir is missing: where is the log kept?');
      if (!forced)
        throw new UsageError(
          '--force-new-group is missing: it gives up every write that this log does not have; ' +
            'the other voters have to come back without their logs',
        );
      const log = join(directory, LOG_DIRECTORY);
      // Nothing may be made by looking.
      await access(log).catch(() => {
        throw UsageError.for(source, directory, 'there is no log in it');
      });
      const { id } = await openIdentity(directory, source);
      // Loaded now: short commands need not wait for it.
      const [{ RaftError, forceNewGroup }, { fileLogStorage }] = await Promise.all([
        import('@mosaik/raft'),
        import('@mosaik/raft/file'),
      ]);
      try {
        const { kept, others } = await forceNewGroup({ storage: fileLogStorage(log), member: id });
        process.stdout.write(
          `the group begins anew with ${id} alone, after entry ${kept.index} of term ${kept.term}\n` +
            others.map((peer) => `to come back without its log: ${peer}\n`).join(''),
        );
      } catch (error) {
        const message = describeError(error);
        if (error instanceof RaftError && error.code === 'storage-in-use')
          throw UsageError.for(source, directory, message, { cause: error });
        throw new CommandError(`${log}: ${message}`, { cause: error });
      }
    });
}
