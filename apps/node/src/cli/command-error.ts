/** What was asked for could not be done: printed as one line; exit code 1. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}
