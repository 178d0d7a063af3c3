import { type RaftBody, RaftMessage, WireError } from '@mosaik/wire';
import { seededRng } from '@mosaik/wire/testing';
import { describe, expect, test } from 'vitest';
import { command, epochOf, forward, Harness, incarnationOf, member, opening, timeoutNow } from './harness.ts';

const log = [{ epoch: epochOf(1, 1), entries: [opening(3), command('a'), command('b')] }];
const at = (index: number) => ({ epoch: epochOf(1, 1), index });

const BODIES: RaftBody[] = [
  {
    type: 'Status',
    term: 1,
    sides: [epochOf(1, 1)],
    epoch: epochOf(2, 1),
    last: at(3),
    committed: 2,
    view: [member(1)],
    former: [],
    lastCommand: 1,
    joining: false,
    observer: false,
    stopped: false,
    runs: [{ epoch: epochOf(1, 1), first: 1 }],
  },
  {
    type: 'VoteRequest',
    epoch: epochOf(2, 1),
    pre: false,
    side: undefined,
    lastTerm: 1,
    lastIndex: 3,
    forced: { founders: [member(0), member(1)], view: [] },
    transfer: undefined,
  },
  { type: 'VoteResponse', epoch: epochOf(2, 0), pre: true, term: 1, verdict: { type: 'Granted' } },
  {
    type: 'Append',
    epoch: epochOf(2, 1),
    side: undefined,
    prev: at(3),
    entries: [{ epoch: epochOf(2, 1), entries: [opening(3), command('x')] }],
    commit: 2,
    round: 0,
    durable: 0,
  },
  { type: 'Appended', epoch: epochOf(2, 0), term: 2, match: 3, round: 1, reject: undefined },
  {
    type: 'Appended',
    epoch: epochOf(2, 0),
    term: 2,
    match: 0,
    round: 0,
    reject: { prev: 3, last: 9, runs: [{ epoch: epochOf(1, 1), first: 1 }] },
  },
  forward(epochOf(1, 1), 1, [[Uint8Array.of(1)]]),
  { type: 'Forwarded', first: 1, count: 3, epoch: epochOf(1, 1), index: 4 },
  { type: 'Refused', first: 1, count: 1, reason: { type: 'Offline' } },
  { type: 'ReadRequest', read: 1 },
  { type: 'ReadGranted', read: 1, index: 7 },
  { type: 'ReadRefused', read: 1, reason: { type: 'NoQuorum' } },
  timeoutNow(1, 0),
  timeoutNow(1, 2),
  { type: 'Committed', epoch: epochOf(2, 1), commit: 99 },
];

describe.each(['voters', 'dynamic'] as const)('whatever a peer sends (%s)', (mode) => {
  test('is refused by the codec or taken without an exception, in every role', () => {
    for (let seed = 1; seed <= 60; seed += 1) {
      const rng = seededRng(seed);
      const pick = (below: number) => Math.floor(rng.float() * below);
      const h = new Harness({ mode, term: 1, log });
      for (let i = 0; i < 60; i += 1) {
        const body = BODIES[pick(BODIES.length)] as RaftBody;
        // Half of them with the epoch that is followed or led, so that they are not just ignored.
        const { epoch } = h.state;
        const aimed = epoch && 'epoch' in body && pick(2) ? { ...body, epoch } : body;
        const bytes = RaftMessage.encode({ incarnation: incarnationOf(1), body: aimed as RaftBody });
        for (let flips = pick(4); flips > 0; flips -= 1) bytes[pick(bytes.length)] = pick(256);
        let message: RaftMessage | undefined;
        try {
          message = RaftMessage.decode(bytes);
        } catch (error) {
          expect(error, `seed ${seed}`).toBeInstanceOf(WireError);
        }
        if (message) h.receive(1 + pick(2), message.body, message.incarnation);
        if (pick(8) === 0) h.advance(pick(900));
        else h.run();
        const s = h.state;
        expect(s.commit, `seed ${seed}`).toBeLessThanOrEqual(s.log.last);
      }
    }
  });
});
