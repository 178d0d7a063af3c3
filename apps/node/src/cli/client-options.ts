import type { Command } from 'commander';
import { ApiClient } from '../client/api-client.ts';
import { DEFAULT_HTTP } from './defaults.ts';
import { UsageError } from './usage-error.ts';

export interface ClientFlags {
  readonly http?: string;
  readonly httpToken?: string;
}

/** Adds the options that say which node to ask. */
export function withClientOptions(command: Command): Command {
  return command
    .option(
      '--http <url>',
      `the node's HTTP address, as host:port or URL (MOSAIK_HTTP; default ${DEFAULT_HTTP})`,
    )
    .option('--http-token <token>', 'its token (MOSAIK_HTTP_TOKEN)');
}

/** @throws UsageError for an address that is none. */
export function createClient(flags: ClientFlags): ApiClient {
  const fromEnv = process.env.MOSAIK_HTTP;
  const [text, source] =
    flags.http !== undefined ? [flags.http, '--http'] : [fromEnv || DEFAULT_HTTP, 'MOSAIK_HTTP'];
  const url = parseUrl(text);
  if (!url) throw UsageError.for(source, text, 'expected host:port or http://host:port');
  return new ApiClient({ url, token: flags.httpToken ?? (process.env.MOSAIK_HTTP_TOKEN || undefined) });
}

function parseUrl(text: string): string | undefined {
  try {
    const url = new URL(/^https?:\/\//.test(text) ? text : `http://${text}`);
    // A path would be lost when requests are made.
    return url.pathname === '/' && url.search === '' ? url.origin : undefined;
  } catch {
    return undefined;
  }
}
