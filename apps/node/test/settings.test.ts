import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { resolveUpSettings } from '../src/cli/settings.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const KEY = 'ab'.repeat(32);
const PEER = 'cd'.repeat(32);
const env = { MOSAIK_GROUP_KEY: KEY };

function configFile(content: unknown): string {
  const path = join(temporaryDirectory(), 'node.json');
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

describe('settings of mosaik up', () => {
  it('have defaults for all but network and key', async () => {
    const settings = await resolveUpSettings({ network: 'n' }, env);
    expect(settings).toMatchObject({
      network: 'n',
      transport: 'quic',
      listen: { value: { host: '0.0.0.0', port: 0 } },
      http: { value: { host: '127.0.0.1', port: 7480 } },
      advertise: [],
      bootstrap: [],
      preference: 'normal',
      logLevel: 'info',
    });
    expect([settings.httpToken, settings.dataDir, settings.voters]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(settings.groupKey.exportBytes()).toEqual(Uint8Array.from(Buffer.from(KEY, 'hex')));
  });

  it('come from flags before the environment before the file', async () => {
    const config = configFile({
      network: 'file',
      listen: '127.0.0.1:1',
      http: '127.0.0.1:1',
      logLevel: 'warn',
    });
    const settings = await resolveUpSettings(
      { config, network: 'flag' },
      { ...env, MOSAIK_NETWORK: 'env', MOSAIK_LISTEN: '127.0.0.1:2' },
    );
    expect(settings.network).toBe('flag');
    expect(settings.listen).toEqual({ value: { host: '127.0.0.1', port: 2 }, source: 'MOSAIK_LISTEN' });
    expect(settings.http).toEqual({ value: { host: '127.0.0.1', port: 1 }, source: `http in ${config}` });
    expect(settings.logLevel).toBe('warn');
  });

  it('tell where voters, witness and preference were given, and not those that were not', async () => {
    const given = await resolveUpSettings(
      { network: 'n', voters: [PEER] },
      { ...env, MOSAIK_PREFERENCE: 'normal' },
    );
    expect(given.membershipSources).toEqual(['--voters', 'MOSAIK_PREFERENCE']);
    const none = await resolveUpSettings({ network: 'n' }, env);
    expect(none.membershipSources).toEqual([]);
  });

  it('take lists from the environment with commas', async () => {
    const settings = await resolveUpSettings(
      { network: 'n' },
      { ...env, MOSAIK_BOOTSTRAP: `a:1, ${PEER}@[::1]:2`, MOSAIK_VOTERS: PEER },
    );
    expect(settings.bootstrap).toEqual(['a:1', `${PEER}@[::1]:2`]);
    expect(settings.voters).toEqual([PEER]);
  });

  it('count an empty variable as not set', async () => {
    const settings = await resolveUpSettings({ network: 'n' }, { ...env, MOSAIK_LISTEN: '' });
    expect(settings.listen.source).toBe('--listen');
  });

  it('take a key file from a flag before a key in the environment', async () => {
    const keyFile = join(temporaryDirectory(), 'key');
    writeFileSync(keyFile, `${'12'.repeat(32)}\n`);
    const { groupKey } = await resolveUpSettings({ network: 'n', keyFile }, env);
    expect(Buffer.from(groupKey.exportBytes()).toString('hex')).toBe('12'.repeat(32));
  });

  it.each([
    ['--network is missing', {}, env],
    ['--key-file is missing', { network: 'n' }, {}],
    ['--listen "1.2.3.4": expected host:port', { network: 'n', listen: '1.2.3.4' }, env],
    ['--listen "127.0.0.1:99999": the port', { network: 'n', listen: '127.0.0.1:99999' }, env],
    ['--listen "1.2.3:5": the host is malformed', { network: 'n', listen: '1.2.3:5' }, env],
    ['--listen "::1": has no port (IPv6', { network: 'n', listen: '::1' }, env],
    ['--listen "[nonsense]:1": what is in brackets', { network: 'n', listen: '[nonsense]:1' }, env],
    ['--advertise "a:0": the port', { network: 'n', advertise: ['b:1', 'a:0'] }, env],
    ['--bootstrap "nowhere":', { network: 'n', bootstrap: ['nowhere'] }, env],
    ['MOSAIK_BOOTSTRAP "xy@a:1":', { network: 'n' }, { ...env, MOSAIK_BOOTSTRAP: 'xy@a:1' }],
    ['--voters "abc": expected a peer id', { network: 'n', voters: ['abc'] }, env],
    ['--witness "abc": expected a peer id', { network: 'n', voters: ['ab'.repeat(32)], witness: 'abc' }, env],
    ['--witness "abc": needs --voters', { network: 'n', witness: 'abc' }, env],
    ['--transport "udp": expected one of quic, tls', { network: 'n', transport: 'udp' }, env],
    [
      '--preference "eager": expected one of normal, reluctant, observer, witness',
      { network: 'n', preference: 'eager' },
      env,
    ],
    ['--log-level "loud": expected one of', { network: 'n', logLevel: 'loud' }, env],
    ['--http "0.0.0.0:80": other machines could reach it', { network: 'n', http: '0.0.0.0:80' }, env],
    ['--config "/none": can not be read: no such file', { network: 'n', config: '/none' }, env],
    ['--key-file "/none": can not be read: no such file', { network: 'n', keyFile: '/none' }, env],
  ])('are refused with one line that names flag and value: %s', async (message, flags, environment) => {
    const error = await resolveUpSettings(flags, environment).then(
      () => undefined,
      (reason: Error) => reason,
    );
    expect(error?.name).toBe('UsageError');
    expect(error?.message).toContain(message);
    expect(error?.message).not.toContain('\n');
  });

  it('name the place in a configuration file that is wrong', async () => {
    const config = configFile({ network: 'n', bootstrap: 'a:1' });
    await expect(resolveUpSettings({ config }, env)).rejects.toThrow(`--config "${config}": bootstrap: `);
    const unknown = configFile({ netwrok: 'n' });
    await expect(resolveUpSettings({ config: unknown }, env)).rejects.toThrow('netwrok');
    const value = configFile({ network: 'n', listen: 'here' });
    await expect(resolveUpSettings({ config: value }, env)).rejects.toThrow(
      `listen in ${value} "here": expected host:port`,
    );
  });

  it('repeat no secret when they refuse one', async () => {
    const secret = 'very-secret';
    const keyFile = join(temporaryDirectory(), 'key');
    writeFileSync(keyFile, secret);
    const config = configFile(`{"httpToken": "${secret}" nonsense`);
    const attempts = [
      () => resolveUpSettings({ network: 'n', keyFile }, {}),
      () => resolveUpSettings({ network: 'n' }, { MOSAIK_GROUP_KEY: secret }),
      () => resolveUpSettings({ network: 'n', httpToken: secret }, env),
      () => resolveUpSettings({ network: 'n', config }, env),
    ];
    for (const attempt of attempts) {
      const error = await attempt().catch((reason: Error) => reason);
      expect(error).toBeInstanceOf(Error);
      expect(String(error)).not.toContain(secret);
    }
  });

  it('let other machines reach HTTP once there is a token', async () => {
    const httpToken = 'x'.repeat(16);
    const settings = await resolveUpSettings({ network: 'n', http: '0.0.0.0:80', httpToken }, env);
    expect(settings.httpToken).toBe(httpToken);
  });
});
