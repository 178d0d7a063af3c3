import { z } from 'zod';
import { readSmallFile } from '../files/read-small-file.ts';
import { describeError, oneLine } from './describe-error.ts';
import { UsageError } from './usage-error.ts';

/** The configuration file of `mosaik up`: the long flags in camel case. Relative paths are relative to the working directory. */
const ConfigFile = z
  .strictObject({
    network: z.string(),
    keyFile: z.string(),
    transport: z.string(),
    listen: z.string(),
    advertise: z.array(z.string()),
    bootstrap: z.array(z.string()),
    http: z.string(),
    httpToken: z.string(),
    dataDir: z.string(),
    voters: z.array(z.string()),
    witness: z.string(),
    preference: z.string(),
    logLevel: z.string(),
  })
  .partial();
export type ConfigFile = z.infer<typeof ConfigFile>;

const MAX_CONFIG_BYTES = 1024 * 1024;

/** @throws UsageError that names the file and the first thing wrong in it. */
export async function readConfigFile(path: string, source: string): Promise<ConfigFile> {
  let content: unknown;
  try {
    content = JSON.parse(await readSmallFile(path, MAX_CONFIG_BYTES));
  } catch (error) {
    // The parser's message quotes the file, which may hold the token.
    const problem = error instanceof SyntaxError ? 'is not JSON' : `can not be read: ${describeError(error)}`;
    throw UsageError.for(source, path, problem, { cause: error });
  }
  const parsed = ConfigFile.safeParse(content);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue?.path.length ? `${issue.path.join('.')}: ` : '';
  throw UsageError.for(source, path, `${where}${oneLine(issue?.message ?? 'is malformed')}`);
}
