import { constants } from 'node:fs';
import { access, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { SecretKey } from '@mosaik/transport';
import { describeError, systemErrorCode } from '../cli/describe-error.ts';
import { UsageError } from '../cli/usage-error.ts';
import { createPrivateFile } from './create-private-file.ts';
import { readSmallFile } from './read-small-file.ts';

/** The file of a data directory that holds the node's secret key, as 64 hex digits. */
export const IDENTITY_FILE = 'identity';

/**
 * The identity kept in `dataDir`, made on first use together with the directory (0700).
 *
 * Two processes that start at once get the same one. @throws UsageError that names `source` and the directory.
 */
export async function openIdentity(dataDir: string, source: string): Promise<SecretKey> {
  const path = join(dataDir, IDENTITY_FILE);
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    await access(dataDir, constants.W_OK | constants.X_OK);
    const present = await readIdentity(path);
    if (present !== undefined) return parseIdentity(present, dataDir, source);
    const seed = Buffer.from(SecretKey.generate().exportSeed()).toString('hex');
    await createPrivateFile(path, `${seed}\n`).catch((error: unknown) => {
      if (systemErrorCode(error) !== 'EEXIST') throw error;
    });
    return parseIdentity((await readIdentity(path)) ?? '', dataDir, source);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw UsageError.for(source, dataDir, `can not be used: ${describeError(error)}`, { cause: error });
  }
}

async function readIdentity(path: string): Promise<string | undefined> {
  try {
    return await readSmallFile(path, 4096);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function parseIdentity(text: string, dataDir: string, source: string): SecretKey {
  if (!/^[0-9a-f]{64}\s*$/.test(text)) {
    throw UsageError.for(source, dataDir, `the file ${IDENTITY_FILE} in it does not hold 64 hex digits`);
  }
  return SecretKey.from(Buffer.from(text.trim(), 'hex'));
}
