import { describe, expect, it } from 'vitest';
import { parseBootstrap } from '../src/index.ts';

const ID = 'ab'.repeat(32);

describe('parseBootstrap', () => {
  it.each([
    ['127.0.0.1:7400', undefined, '127.0.0.1:7400'],
    ['node-1.example.org:1', undefined, 'node-1.example.org:1'],
    ['localhost:65535', undefined, 'localhost:65535'],
    ['[::1]:7400', undefined, '[::1]:7400'],
    ['[fe80::1%eth0]:7400', undefined, '[fe80::1%eth0]:7400'],
    [`${ID}@10.0.0.1:7400`, ID, '10.0.0.1:7400'],
    [`${ID.toUpperCase()}@[2001:db8::7]:7400`, ID, '[2001:db8::7]:7400'],
  ])('reads %s', (text, peerId, address) => {
    expect(parseBootstrap(text)).toEqual({ peerId, address });
  });

  it.each([
    '',
    'localhost',
    'localhost:',
    'localhost:0',
    'localhost:65536',
    'localhost:7400x',
    ':7400',
    '::1:7400',
    '[::1:7400',
    'a b:7400',
    'http://host:7400',
    'abc@host:7400',
    `${ID}@`,
    `${ID}@@host:1`,
    'host:7400\nsecond line',
  ])('refuses %j in one line that names it', (text) => {
    let message = '';
    try {
      parseBootstrap(text);
    } catch (error) {
      expect(error).toBeInstanceOf(TypeError);
      message = (error as Error).message;
    }
    expect(message).toContain(JSON.stringify(text));
    expect(message).not.toContain('\n');
  });
});
