/** A whole number of the command line; ends the process when it is none. */
export function parseCount(name: string, text: string): number {
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 0) {
    console.error(`${name} must be a whole number, got ${JSON.stringify(text)}`);
    process.exit(2);
  }
  return count;
}
