import { Command, CommanderError } from 'commander';
import { VERSION } from '../version.ts';
import type { CommandContext } from './command-context.ts';
import { CommandError } from './command-error.ts';
import { addClientCommands } from './commands/client.ts';
import { addDemoCommand } from './commands/demo.ts';
import { addGroupCommands } from './commands/group.ts';
import { addIdCommand } from './commands/id.ts';
import { addKeygenCommand } from './commands/keygen.ts';
import { addKvCommand } from './commands/kv.ts';
import { addRecoverCommand } from './commands/recover.ts';
import { addUpCommand } from './commands/up.ts';
import { oneLine } from './describe-error.ts';
import { refuseRepeatedOptions } from './repeated-options.ts';
import { UsageError } from './usage-error.ts';

/** What the operator gave is wrong. */
const EXIT_USAGE = 2;
/** What was asked for could not be done. */
const EXIT_FAILED = 1;

/** Runs one command and resolves with the exit code. Every expected failure is one line on stderr. */
export async function runCommandLine(argv: readonly string[], context: CommandContext): Promise<number> {
  const program = new Command('mosaik')
    .description('Encrypted, batteries-included availability groups.')
    .version(VERSION)
    // Errors are printed once, here.
    .configureOutput({ outputError: () => {} })
    .showSuggestionAfterError(false)
    .exitOverride();
  addUpCommand(program, context);
  addDemoCommand(program, context);
  addKeygenCommand(program);
  addIdCommand(program);
  addClientCommands(program);
  addGroupCommands(program);
  addKvCommand(program);
  addRecoverCommand(program);
  refuseRepeatedOptions(program);
  try {
    await program.parseAsync([...argv]);
    return 0;
  } catch (error) {
    return report(error);
  }
}

function report(error: unknown): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    if (error.code === 'commander.help') return EXIT_USAGE;
    printError(error.message.replace(/^error: /, ''));
    return EXIT_USAGE;
  }
  if (error instanceof UsageError || error instanceof CommandError) {
    printError(error.message);
    return error instanceof UsageError ? EXIT_USAGE : EXIT_FAILED;
  }
  throw error;
}

function printError(message: string): void {
  process.stderr.write(`mosaik: ${oneLine(message)}\n`);
}
