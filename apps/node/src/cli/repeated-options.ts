import type { Command, Option } from 'commander';
import { quote, UsageError } from './usage-error.ts';

/** What an option hides when it is refused. */
const SECRETS: readonly string[] = ['--http-token'];

/** Parser of an option that may be repeated: all its values in order. */
export function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

/**
 * Makes the command and those below it refuse an option that takes one value and is given two. The last would win
 * without a word, and whoever wrote `--voters A --voters B` meant both.
 */
export function refuseRepeatedOptions(command: Command): void {
  for (const option of command.options) {
    if (option.required && option.parseArg !== collect) refuseRepeated(command, option);
  }
  for (const below of command.commands) refuseRepeatedOptions(below);
}

function refuseRepeated(command: Command, option: Option): void {
  const flag = option.long ?? option.flags;
  let before: string | undefined;
  command.on(`option:${option.name()}`, (value: string) => {
    if (before !== undefined) {
      const values = SECRETS.includes(flag) ? '' : ` ${quote(before)} and ${quote(value)}`;
      throw new UsageError(`${flag}${values}: takes one value, was given twice`);
    }
    before = value;
  });
}
