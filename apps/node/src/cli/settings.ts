import { parseBootstrap } from '@mosaik/discovery';
import type { GroupKey, Preference } from '@mosaik/network';
import { type PeerId, parseId } from '@mosaik/wire';
import { parseGroupKey, readGroupKeyFile } from '../files/group-key.ts';
import { type ConfigFile, readConfigFile } from './config-file.ts';
import {
  DEFAULT_HTTP,
  DEFAULT_LISTEN,
  LOG_LEVELS,
  type LogLevel,
  PREFERENCES,
  TRANSPORTS,
  type TransportName,
} from './defaults.ts';
import { oneLine } from './describe-error.ts';
import { formatHostPort, type HostPort, isLoopbackHost, parseHostPort } from './parse-host-port.ts';
import { UsageError } from './usage-error.ts';

/** A value and where it came from, as errors name it. */
export interface Sourced<T> {
  readonly value: T;
  readonly source: string;
}

/** Everything that `mosaik up` needs to know, checked. */
export interface UpSettings {
  readonly network: string;
  readonly groupKey: GroupKey;
  readonly transport: TransportName;
  readonly listen: Sourced<HostPort>;
  readonly advertise: readonly string[];
  readonly bootstrap: readonly string[];
  readonly http: Sourced<HostPort>;
  readonly httpToken: string | undefined;
  readonly dataDir: Sourced<string> | undefined;
  readonly voters: readonly PeerId[] | undefined;
  readonly witness: PeerId | undefined;
  readonly preference: Preference;
  /** Which of voters, witness and preference were given, and where: what is wrong together is told of by these. */
  readonly membershipSources: readonly string[];
  readonly logLevel: LogLevel;
}

/** How much longer a reluctant node waits before it stands for election. */
const RELUCTANT_FACTOR = 3;
/** Keeps a token from being guessed, and a mistyped flag from becoming one. */
const MIN_TOKEN_LENGTH = 16;

type Environment = Readonly<Record<string, string | undefined>>;
/** What the command line gave; lists for the options that may be repeated. */
export type UpFlags = { readonly [Name in keyof ConfigFile]?: ConfigFile[Name] | undefined } & {
  readonly config?: string | undefined;
};

/**
 * Merges flags, environment and file, in this order of precedence, into checked settings.
 *
 * @throws UsageError naming where the first bad value came from.
 */
export async function resolveUpSettings(flags: UpFlags, env: Environment): Promise<UpSettings> {
  const configPath = pickFirst(flagValue(flags.config, '--config'), envValue(env, 'MOSAIK_CONFIG'));
  const file = configPath ? await readConfigFile(configPath.value, configPath.source) : {};
  const from = (name: keyof ConfigFile) => {
    const inFile = file[name];
    return pickFirst<string | readonly string[]>(
      flagValue(flags[name], flagName(name)),
      envValue(env, envName(name)),
      inFile === undefined ? undefined : { value: inFile, source: `${name} in ${configPath?.value}` },
    );
  };
  const one = (name: keyof ConfigFile): Sourced<string> | undefined => {
    const found = from(name);
    return found && { value: String(found.value), source: found.source };
  };
  const many = (name: keyof ConfigFile): Sourced<readonly string[]> | undefined => {
    const found = from(name);
    if (!found) return undefined;
    const values = typeof found.value === 'string' ? found.value.split(',') : found.value;
    return { value: values.map((value) => value.trim()), source: found.source };
  };

  const network = one('network');
  if (!network) throw new UsageError('--network is missing: name the network that this node belongs to');
  if (network.value === '') throw UsageError.for(network.source, '', 'is empty');
  const http = parseAddress(one('http') ?? { value: DEFAULT_HTTP, source: '--http' });
  const httpToken = one('httpToken');
  checkToken(http, httpToken);
  return {
    network: network.value,
    groupKey: await resolveGroupKey(flags, env, one('keyFile')),
    transport: oneOf(one('transport'), TRANSPORTS) ?? 'quic',
    listen: parseAddress(one('listen') ?? { value: DEFAULT_LISTEN, source: '--listen' }),
    advertise: mapEach(many('advertise'), (value, source) =>
      formatHostPort(parseHostPort(value, source, { minPort: 1 })),
    ),
    bootstrap: mapEach(many('bootstrap'), checkBootstrap),
    http,
    httpToken: httpToken?.value,
    dataDir: one('dataDir'),
    voters: parseVoters(many('voters')),
    witness: parseWitness(one('witness'), many('voters')),
    preference: parsePreference(oneOf(one('preference'), PREFERENCES) ?? 'normal'),
    membershipSources: (['voters', 'witness', 'preference'] as const).flatMap(
      (name) => from(name)?.source ?? [],
    ),
    logLevel: oneOf(one('logLevel'), LOG_LEVELS) ?? 'info',
  };
}

/** `keyFile` as `--key-file`. */
function flagName(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** `keyFile` as `MOSAIK_KEY_FILE`. */
function envName(name: string): string {
  return `MOSAIK_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

function flagValue<T>(value: T, source: string): Sourced<NonNullable<T>> | undefined {
  return value === undefined || value === null ? undefined : { value, source };
}

/** An empty variable counts as not set: that is how shells and service files unset one. */
function envValue(env: Environment, name: string): Sourced<string> | undefined {
  const value = env[name];
  return value === undefined || value === '' ? undefined : { value, source: name };
}

function pickFirst<T>(...candidates: readonly (Sourced<T> | undefined)[]): Sourced<T> | undefined {
  return candidates.find((candidate) => candidate !== undefined);
}

function mapEach(
  list: Sourced<readonly string[]> | undefined,
  map: (value: string, source: string) => string,
): readonly string[] {
  return list ? list.value.map((value) => map(value, list.source)) : [];
}

function parseAddress({ value, source }: Sourced<string>): Sourced<HostPort> {
  return { value: parseHostPort(value, source), source };
}

function checkBootstrap(value: string, source: string): string {
  try {
    parseBootstrap(value);
    return value;
  } catch (error) {
    throw UsageError.for(source, value, oneLine(error instanceof Error ? error.message : String(error)));
  }
}

function parseVoters(list: Sourced<readonly string[]> | undefined): readonly PeerId[] | undefined {
  return list?.value.map((value) => parsePeer({ value, source: list.source }));
}

function parseWitness(
  given: Sourced<string> | undefined,
  voters: Sourced<readonly string[]> | undefined,
): PeerId | undefined {
  if (given && !voters) throw UsageError.for(given.source, given.value, 'needs --voters');
  return given && parsePeer(given);
}

function parsePeer({ value, source }: Sourced<string>): PeerId {
  try {
    return parseId<PeerId>(value);
  } catch {
    throw UsageError.for(source, value, 'expected a peer id of 64 hex digits');
  }
}

function oneOf<T extends string>(given: Sourced<string> | undefined, allowed: readonly T[]): T | undefined {
  if (!given) return undefined;
  const found = allowed.find((value) => value === given.value);
  if (found) return found;
  throw UsageError.for(given.source, given.value, `expected one of ${allowed.join(', ')}`);
}

function parsePreference(name: (typeof PREFERENCES)[number]): Preference {
  return name === 'reluctant' ? { reluctant: RELUCTANT_FACTOR } : name;
}

function checkToken(http: Sourced<HostPort>, token: Sourced<string> | undefined): void {
  if (token && (token.value.length < MIN_TOKEN_LENGTH || !/^[\x21-\x7e]+$/.test(token.value))) {
    throw new UsageError(
      `${token.source}: expected at least ${MIN_TOKEN_LENGTH} printable characters without spaces`,
    );
  }
  if (!token && !isLoopbackHost(http.value.host)) {
    const problem = 'other machines could reach it: that needs --http-token (or MOSAIK_HTTP_TOKEN)';
    throw UsageError.for(http.source, formatHostPort(http.value), problem);
  }
}

async function resolveGroupKey(
  flags: UpFlags,
  env: Environment,
  keyFile: Sourced<string> | undefined,
): Promise<GroupKey> {
  const inline = envValue(env, 'MOSAIK_GROUP_KEY');
  if (inline && flags.keyFile === undefined) return parseGroupKey(inline.value, inline.source);
  if (keyFile) return readGroupKeyFile(keyFile.value, keyFile.source);
  throw new UsageError(
    '--key-file is missing: give a key file (`mosaik keygen --out FILE`) or MOSAIK_GROUP_KEY',
  );
}
