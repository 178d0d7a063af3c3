import { createSocket } from 'node:dgram';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { runMosaik } from './mosaik-process.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const KEY = 'ab'.repeat(32);
const PEER_ID = /^[0-9a-f]{64}\n$/;

/** Asserts a one-line error on stderr with what it has to say, nothing else, and the exit code. */
async function expectRefusal(args: readonly string[], message: string, env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await runMosaik(args, { env });
  expect(stderr).toContain(message);
  expect(stderr).toMatch(/^mosaik: [^\n]+\n$/);
  expect([code, stdout]).toEqual([2, '']);
}

describe('mosaik refuses in one line that names flag and value, with exit code 2,', {
  timeout: 60_000,
}, () => {
  const up = ['up', '--network', 'n'];
  const env = { MOSAIK_GROUP_KEY: KEY, MOSAIK_HTTP: '127.0.0.1:0', MOSAIK_LISTEN: '127.0.0.1:0' };

  it('an unknown flag', () => expectRefusal([...up, '--nope'], "unknown option '--nope'"));

  it('an unknown command', () => expectRefusal(['fly'], "unknown command 'fly'"));

  it('a flag without its value', () =>
    expectRefusal(['up', '--network'], "option '--network <name>' argument missing"));

  it.each([
    ['--voters', [...up, '--voters', 'ab', '--json', '--voters', 'cd'], '"ab" and "cd"'],
    ['--network', [...up, '--network=m'], '"n" and "m"'],
    ['--nodes', ['demo', '--nodes', '2', '--nodes', '2'], '"2" and "2"'],
    ['--cas', ['kv', 'put', '--cas', '0', 'k', 'v', '--cas', '1'], '"0" and "1"'],
    ['--http', ['voters', 'list', '--http', 'a:1', '--http', 'b:1'], '"a:1" and "b:1"'],
  ])('two values of %s, which takes one', (flag, args, values) =>
    expectRefusal(args, `${flag} ${values}: takes one value, was given twice`, env),
  );

  it('two tokens, without repeating them', async () => {
    const args = [...up, '--http-token', 'opensesame', '--http-token', 'sesameopen'];
    const message = 'mosaik: --http-token: takes one value, was given twice\n';
    expect((await runMosaik(args, { env })).stderr).toBe(message);
  });

  it('the first of two addresses, which both count', () =>
    expectRefusal([...up, '--bootstrap', 'nowhere', '--bootstrap', 'a:1'], '--bootstrap "nowhere": ', env));

  it('a malformed --listen', () =>
    expectRefusal([...up, '--listen', '127.0.0.1:70000'], '--listen "127.0.0.1:70000": the port', env));

  it('a --listen address that this machine does not have', () =>
    expectRefusal([...up, '--listen', '198.51.100.1:0'], '--listen "198.51.100.1:0": ', env));

  it('a UDP port that is taken', async () => {
    const socket = createSocket('udp4');
    onTestFinished(() => void socket.close());
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    const listen = `127.0.0.1:${socket.address().port}`;
    await expectRefusal([...up, '--listen', listen], `--listen "${listen}": `, env);
  });

  it('an HTTP port that is taken', async () => {
    const server = createServer();
    onTestFinished(() => void server.close());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const http = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    await expectRefusal([...up, '--http', http], `--http "${http}": the address is in use`, env);
  });

  it('a key file that is not there', () =>
    expectRefusal([...up, '--key-file', '/none'], '--key-file "/none": can not be read: no such file'));

  it('a key file that holds no key, without repeating what it holds', async () => {
    const path = join(temporaryDirectory(), 'key');
    writeFileSync(path, 'opensesame');
    await expectRefusal(
      [...up, '--key-file', path],
      `--key-file "${path}": does not hold a key of 64 hex digits`,
    );
    const { stderr } = await runMosaik([...up, '--key-file', path]);
    expect(stderr).not.toContain('opensesame');
  });

  it('a malformed bootstrap address', () =>
    expectRefusal([...up, '--bootstrap', 'nowhere'], '--bootstrap "nowhere": ', env));

  it('a malformed configuration file', async () => {
    const path = join(temporaryDirectory(), 'node.json');
    writeFileSync(path, '{ "network": 5 }');
    await expectRefusal([...up, '--config', path], `--config "${path}": network: `, env);
  });

  it('a data directory that can not be written', async () => {
    const file = join(temporaryDirectory(), 'file');
    writeFileSync(file, '');
    const directory = join(file, 'data');
    await expectRefusal([...up, '--data-dir', directory], `--data-dir "${directory}": can not be used`, env);
  });

  it('an observer among the voters', async () => {
    const directory = temporaryDirectory();
    const { stdout } = await runMosaik(['id', '--data-dir', directory]);
    const flags = ['--data-dir', directory, '--voters', stdout.trim(), '--preference', 'observer'];
    await expectRefusal([...up, ...flags], '--voters, --preference: ', env);
  });

  it('a voter listed twice, or is the witness too', async () => {
    const [a, b] = ['ab', 'cd'].map((byte) => byte.repeat(32)) as [string, string];
    const twice = `--voters: quorum.voters lists ${a} twice`;
    await expectRefusal([...up, '--voters', `${a},${b},${a}`], twice, env);
    const both = `--voters, --witness: quorum.voters and quorum.witnesses both list ${b}`;
    await expectRefusal([...up, '--voters', `${a},${b}`, '--witness', b], both, env);
  });

  it('HTTP beyond loopback without a token', () =>
    expectRefusal([...up, '--http', '0.0.0.0:0'], '--http "0.0.0.0:0": ', env));

  it('a demo of too many nodes', () => expectRefusal(['demo', '--nodes', '99'], '--nodes "99": '));

  it('a malformed address of a node to ask', () =>
    expectRefusal(['status', '--http', 'http://x/y'], '--http "http://x/y": '));
});

describe('mosaik', { timeout: 60_000 }, () => {
  it('fails with exit code 1 and one line where nothing listens', async () => {
    const { code, stderr } = await runMosaik(['kv', 'get', 'k', '--http', '127.0.0.1:2']);
    expect([code, stderr]).toEqual([1, 'mosaik: http://127.0.0.1:2: nothing listens there\n']);
  });

  it('says why an address can not be asked', async () => {
    const { code, stderr } = await runMosaik(['status', '--http', '127.0.0.1:1']);
    expect([code, stderr]).toEqual([1, 'mosaik: http://127.0.0.1:1: fetch failed: bad port\n']);
  });

  it('shows its help on request, with exit code 0', async () => {
    const { code, stdout } = await runMosaik(['up', '--help']);
    expect(code).toBe(0);
    for (const flag of ['--network', '--key-file', '--bootstrap', '--voters', '--http-token']) {
      expect(stdout).toContain(flag);
    }
  });
});

describe('mosaik keygen', { timeout: 60_000 }, () => {
  it('prints a fresh key of 64 hex digits', async () => {
    const [a, b] = await Promise.all([runMosaik(['keygen']), runMosaik(['keygen'])]);
    expect(a.stdout).toMatch(PEER_ID);
    expect(a.stdout).not.toBe(b.stdout);
  });

  it('writes it for its owner alone, and never over another', async () => {
    const path = join(temporaryDirectory(), 'key');
    expect((await runMosaik(['keygen', '--out', path])).code).toBe(0);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const before = readFileSync(path, 'utf8');
    expect(before).toMatch(PEER_ID);
    await expectRefusal(['keygen', '--out', path], `--out "${path}": can not be written: exists already`);
    expect(readFileSync(path, 'utf8')).toBe(before);
  });
});

describe('mosaik id', { timeout: 60_000 }, () => {
  it('makes the identity where there is none, and prints the peer id alone', async () => {
    const directory = join(temporaryDirectory(), 'data');
    const first = await runMosaik(['id', '--data-dir', directory]);
    expect(first.stdout).toMatch(PEER_ID);
    const again = await runMosaik(['id'], { env: { MOSAIK_DATA_DIR: directory } });
    expect(again.stdout).toBe(first.stdout);
  });
});
