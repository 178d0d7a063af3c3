import { GroupKey } from '@mosaik/handshake';
import { describeError } from '../cli/describe-error.ts';
import { UsageError } from '../cli/usage-error.ts';
import { readSmallFile } from './read-small-file.ts';

const KEY = /^[0-9a-f]{64}$/i;

/** Reads a group key from a file of 64 hex digits. Errors name the path, never the content. @throws UsageError */
export async function readGroupKeyFile(path: string, source: string): Promise<GroupKey> {
  let text: string;
  try {
    text = await readSmallFile(path, 4096);
  } catch (error) {
    throw UsageError.for(source, path, `can not be read: ${describeError(error)}`, { cause: error });
  }
  if (!KEY.test(text.trim())) throw UsageError.for(source, path, 'does not hold a key of 64 hex digits');
  return GroupKey.from(text.trim());
}

/** Takes a group key from the environment. The error does not repeat it. @throws UsageError */
export function parseGroupKey(text: string, source: string): GroupKey {
  if (!KEY.test(text.trim())) throw new UsageError(`${source}: expected a key of 64 hex digits`);
  return GroupKey.from(text.trim());
}

/** A key as a key file holds it. */
export function formatGroupKey(key: GroupKey): string {
  return `${Buffer.from(key.exportBytes()).toString('hex')}\n`;
}
