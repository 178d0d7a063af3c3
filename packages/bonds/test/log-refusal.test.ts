import { HandshakeError } from '@mosaik/handshake';
import { CloseCode, type PeerId, UniqueId } from '@mosaik/wire';
import { silentLogger } from '@mosaik/wire/runtime';
import { expect, it } from 'vitest';
import { logRefusal } from '../src/log-refusal.ts';

it('tells a refusal by its reason, without a stack, and that two dials crossed only to who looks closely', () => {
  const told: unknown[] = [];
  const logger = {
    ...silentLogger,
    info: (...args: unknown[]) => void told.push(['info', ...args]),
    debug: (...args: unknown[]) => void told.push(['debug', ...args]),
  };
  const refusal = { peer: UniqueId.from<PeerId>('peer'), address: '127.0.0.1:1' };
  const errorOf = (closeCode: number) => new HandshakeError('closed', 'no proof', { closeCode });
  for (const closeCode of [CloseCode.InvalidProof, CloseCode.AlreadyBonded, CloseCode.Cancelled])
    logRefusal(logger, { ...refusal, error: errorOf(closeCode), closeCode }, 'refused');
  expect(told).toEqual(
    [
      ['info', CloseCode.InvalidProof],
      ['debug', CloseCode.AlreadyBonded],
      ['debug', CloseCode.Cancelled],
    ].map(([level, closeCode]) => [level, { ...refusal, closeCode, reason: 'no proof' }, 'refused']),
  );
});
