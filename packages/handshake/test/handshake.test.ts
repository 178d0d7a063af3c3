import {
  CloseCode,
  type GroupId,
  HandshakeEnd,
  HandshakeStart,
  MAX_CONTROL_FRAME_BYTES,
  type NetworkId,
  type PeerId,
  UniqueId,
} from '@mosaik/wire';
import type { Clock } from '@mosaik/wire/runtime';
import { settle, VirtualClock } from '@mosaik/wire/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  acceptHandshake,
  createProof,
  type HandshakeChannel,
  HandshakeError,
  initiateHandshake,
} from '../src/index.ts';
import { channelPair, type TestChannel } from '../src/testing/index.ts';
import {
  ALICE,
  acceptorOptions,
  BOB,
  entryOf,
  exporter,
  GROUP,
  initiatorOptions,
  KEY,
  OTHER_KEY,
} from './fixtures.ts';

/** A start that Bob accepts, unless changed. */
function start(overrides: Partial<HandshakeStart> = {}): Uint8Array {
  const { networkId } = initiatorOptions();
  const sessionSecret = exporter('channel 1')(GROUP);
  const proof = createProof({ groupKey: KEY, groupId: GROUP, sessionSecret, prover: ALICE });
  return HandshakeStart.encode({
    networkId,
    groupId: GROUP,
    proof,
    bonds: Uint8Array.of(0),
    incarnation: 1n,
    ...overrides,
  });
}

/** Bob's verdict on one raw frame. */
async function verdictOn(
  frame: Uint8Array,
  overrides = {},
): Promise<{ error: HandshakeError; alice: TestChannel }> {
  const [alice, bob] = channelPair();
  await alice.send(frame);
  const error = await acceptHandshake(bob, acceptorOptions(overrides)).then(
    () => expect.unreachable('accepted'),
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(HandshakeError);
  expect(bob.sent).toEqual([]);
  expect(alice.closed).toMatchObject({ code: (error as HandshakeError).closeCode, remote: true });
  return { error: error as HandshakeError, alice };
}

describe('a handshake between two who know the key', () => {
  it('proves both sides, in one frame each, and tells bonds and incarnations (protocol: Handshake)', async () => {
    const [alice, bob] = channelPair();
    const [initiated, accepted] = await Promise.all([
      initiateHandshake(alice, initiatorOptions({ bonds: [entryOf('carol')], incarnation: 11n })),
      acceptHandshake(
        bob,
        acceptorOptions({
          bonds: () => [entryOf('dave'), entryOf('erin')],
          incarnation: () => 2n ** 64n - 1n,
        }),
      ),
    ]);
    expect(accepted).toEqual({ groupId: GROUP, bonds: [entryOf('carol')], incarnation: 11n });
    expect(initiated).toEqual({
      groupId: GROUP,
      bonds: [entryOf('dave'), entryOf('erin')],
      incarnation: 2n ** 64n - 1n,
    });
    expect([alice.sent.length, bob.sent.length]).toEqual([1, 1]);
    expect([alice.closed, bob.closed]).toEqual([undefined, undefined]);
  });

  it('leaves frames after the handshake to the caller', async () => {
    const [alice, bob] = channelPair();
    const accepted = acceptHandshake(bob, acceptorOptions());
    await initiateHandshake(alice, initiatorOptions());
    await alice.send(Uint8Array.of(42));
    await accepted;
    expect(await bob.receive()).toEqual(Uint8Array.of(42));
  });

  it('sends of the bonds what fits 48 KiB', async () => {
    const [alice, bob] = channelPair();
    const bonds = Array.from({ length: 8 }, (_, i) => entryOf(`peer ${i}`, 2));
    const accepted = acceptHandshake(bob, acceptorOptions());
    await initiateHandshake(alice, initiatorOptions({ bonds }));
    expect((await accepted).bonds).toEqual(bonds.slice(0, 5));
    expect(alice.sent[0]?.length).toBeLessThanOrEqual(MAX_CONTROL_FRAME_BYTES);
  });

  it('asks admit only after the proof, with the group and the incarnation', async () => {
    const [alice, bob] = channelPair();
    const asked: unknown[] = [];
    const admit = async ({ signal, ...request }: { signal: AbortSignal }) => {
      asked.push(request);
      return { ok: !signal.aborted } as { ok: true };
    };
    const accepted = acceptHandshake(bob, acceptorOptions({ admit, incarnation: 5n }));
    await initiateHandshake(alice, initiatorOptions({ admit, incarnation: 4n }));
    await accepted;
    expect(asked).toEqual([
      { remoteId: ALICE, groupId: GROUP, incarnation: 4n },
      { remoteId: BOB, groupId: GROUP, incarnation: 5n },
    ]);
  });
});

describe('the acceptor refuses', () => {
  it.each<[string, Uint8Array, string, number]>([
    ['an empty frame', new Uint8Array(), 'invalid-handshake', CloseCode.InvalidHandshake],
    ['garbage', new Uint8Array(200).fill(0xff), 'invalid-handshake', CloseCode.InvalidHandshake],
    ['a start cut short', start().subarray(0, 90), 'invalid-handshake', CloseCode.InvalidHandshake],
    [
      'a start with trailing bytes',
      Uint8Array.from([...start(), 0]),
      'invalid-handshake',
      CloseCode.InvalidHandshake,
    ],
    [
      'a frame above 64 KiB',
      new Uint8Array(MAX_CONTROL_FRAME_BYTES + 1),
      'too-large',
      CloseCode.ProtocolViolation,
    ],
    [
      'another network',
      start({ networkId: UniqueId.from<NetworkId>('other') }),
      'different-network',
      CloseCode.DifferentNetwork,
    ],
    [
      'another network before it looks for the group',
      start({ networkId: UniqueId.from<NetworkId>('other'), groupId: UniqueId.from<GroupId>('x') }),
      'different-network',
      CloseCode.DifferentNetwork,
    ],
    [
      'a group that it does not know',
      start({ groupId: UniqueId.from<GroupId>('other') }),
      'group-not-found',
      CloseCode.GroupNotFound,
    ],
    ['a wrong proof', start({ proof: new Uint8Array(32) }), 'invalid-proof', CloseCode.InvalidProof],
  ])('%s', async (_, frame, code, closeCode) => {
    expect((await verdictOn(frame)).error).toMatchObject({
      name: 'HandshakeError',
      code,
      closeCode,
      remote: false,
    });
  });

  it('a proof with any one bit changed', async () => {
    const good = HandshakeStart.decode(start()).proof;
    for (const bit of [0, 7, 100, 255]) {
      const proof = Uint8Array.from(good);
      proof[bit >> 3] = (proof[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect((await verdictOn(start({ proof }))).error.closeCode).toBe(CloseCode.InvalidProof);
    }
  });

  it('any bytes that are no handshake, and any one byte changed of network, group or proof', async () => {
    const frames = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.tuple(fc.nat(95), fc.integer({ min: 1, max: 255 })).map(([at, mask]) => {
        const frame = start();
        frame[at] = (frame[at] ?? 0) ^ mask;
        return frame;
      }),
    );
    const codes: readonly number[] = [
      CloseCode.InvalidHandshake,
      CloseCode.DifferentNetwork,
      CloseCode.GroupNotFound,
      CloseCode.InvalidProof,
    ];
    await fc.assert(
      fc.asyncProperty(frames, async (frame) => {
        expect(codes).toContain((await verdictOn(frame)).error.closeCode);
      }),
    );
  });

  it('the wrong key, and the initiator learns the code', async () => {
    const [alice, bob] = channelPair();
    const [initiated, accepted] = await Promise.allSettled([
      initiateHandshake(alice, initiatorOptions({ groupKey: OTHER_KEY })),
      acceptHandshake(bob, acceptorOptions()),
    ]);
    expect(accepted).toMatchObject({ reason: { code: 'invalid-proof', closeCode: CloseCode.InvalidProof } });
    expect(initiated).toMatchObject({
      reason: { code: 'closed', closeCode: CloseCode.InvalidProof, remote: true },
    });
  });

  it('a start recorded on another channel', async () => {
    const [first, firstBob] = channelPair();
    await Promise.all([
      initiateHandshake(first, initiatorOptions()),
      acceptHandshake(firstBob, acceptorOptions()),
    ]);
    const { error } = await verdictOn(first.sent[0] ?? new Uint8Array(), {
      sessionSecret: exporter('channel 2'),
    });
    expect(error.closeCode).toBe(CloseCode.InvalidProof);
  });

  it("a start relayed by a peer that ends the channel on both sides: it is not the peer's, nor the channel's", async () => {
    const [alice, malloryOfAlice] = channelPair();
    const [malloryToBob, bob] = channelPair();
    const mallory = UniqueId.from<PeerId>('mallory');
    const initiated = initiateHandshake(alice, initiatorOptions({ remoteId: mallory }));
    const relayed = await malloryOfAlice.receive();
    await malloryToBob.send(relayed ?? new Uint8Array());
    await expect(
      acceptHandshake(bob, acceptorOptions({ remoteId: mallory, sessionSecret: exporter('channel 2') })),
    ).rejects.toMatchObject({ closeCode: CloseCode.InvalidProof });
    await malloryOfAlice.close(CloseCode.InvalidProof, '');
    await expect(initiated).rejects.toMatchObject({ closeCode: CloseCode.InvalidProof });
  });

  it("another member's proof, even on the same channel: the prover is named", async () => {
    const sessionSecret = exporter('channel 1')(GROUP);
    const proof = createProof({
      groupKey: KEY,
      groupId: GROUP,
      sessionSecret,
      prover: UniqueId.from<PeerId>('carol'),
    });
    expect((await verdictOn(start({ proof }))).error.closeCode).toBe(CloseCode.InvalidProof);
  });

  it('a bonds list that does not decode, after the proof', async () => {
    expect((await verdictOn(start({ bonds: new Uint8Array(64) }))).error).toMatchObject({
      code: 'invalid-handshake',
      closeCode: CloseCode.InvalidHandshake,
    });
  });

  it('itself', async () => {
    expect((await verdictOn(start(), { localId: ALICE })).error.closeCode).toBe(CloseCode.InvalidHandshake);
  });

  it('with the code that admit chooses, and with NotAllowed when admit throws', async () => {
    const [alice, bob] = channelPair();
    const refuse = async () => ({ closeCode: CloseCode.AlreadyBonded, reason: 'bonded' });
    const [initiated, accepted] = await Promise.allSettled([
      initiateHandshake(alice, initiatorOptions()),
      acceptHandshake(bob, acceptorOptions({ admit: refuse })),
    ]);
    expect(accepted).toMatchObject({ reason: { code: 'not-admitted', closeCode: CloseCode.AlreadyBonded } });
    expect(initiated).toMatchObject({ reason: { closeCode: CloseCode.AlreadyBonded } });

    const [carol, bobAgain] = channelPair();
    const fail = async () => Promise.reject(new Error('validator out of reach'));
    const results = await Promise.allSettled([
      initiateHandshake(carol, initiatorOptions()),
      acceptHandshake(bobAgain, acceptorOptions({ admit: fail })),
    ]);
    expect(results[1]).toMatchObject({ reason: { closeCode: CloseCode.NotAllowed } });
    expect(carol.closed).toMatchObject({ code: CloseCode.NotAllowed });
  });
});

describe('the initiator refuses', () => {
  async function answeredWith(
    answer: (start: Uint8Array) => Uint8Array,
  ): Promise<{ error: HandshakeError; bob: TestChannel }> {
    const [alice, bob] = channelPair();
    const initiated = initiateHandshake(alice, initiatorOptions());
    const frame = (await bob.receive()) ?? new Uint8Array();
    await bob.send(answer(frame));
    const error = await initiated.then(
      () => expect.unreachable('accepted'),
      (e: unknown) => e,
    );
    return { error: error as HandshakeError, bob };
  }
  const end = (overrides: Partial<HandshakeEnd> = {}) => {
    const sessionSecret = exporter('channel 1')(GROUP);
    const proof = createProof({ groupKey: KEY, groupId: GROUP, sessionSecret, prover: BOB });
    return HandshakeEnd.encode({ proof, bonds: Uint8Array.of(0), incarnation: 0n, ...overrides });
  };

  it('its own proof reflected by an acceptor without the key: InvalidProof', async () => {
    const { error, bob } = await answeredWith((frame) => {
      const { proof, bonds, incarnation } = HandshakeStart.decode(frame);
      return HandshakeEnd.encode({ proof, bonds, incarnation });
    });
    expect(error).toMatchObject({ code: 'invalid-proof', closeCode: CloseCode.InvalidProof });
    expect(bob.closed).toMatchObject({ code: CloseCode.InvalidProof });
  });

  it.each<[string, Uint8Array, number]>([
    ['a wrong proof', end({ proof: new Uint8Array(32) }), CloseCode.InvalidProof],
    ['garbage', new Uint8Array(3).fill(0xff), CloseCode.InvalidHandshake],
    ['trailing bytes', Uint8Array.from([...end(), 1]), CloseCode.InvalidHandshake],
    ['a start in place of an answer', start(), CloseCode.InvalidHandshake],
    ['a frame above 64 KiB', new Uint8Array(MAX_CONTROL_FRAME_BYTES + 1), CloseCode.ProtocolViolation],
  ])('%s', async (_, frame, closeCode) => {
    const { error, bob } = await answeredWith(() => frame);
    expect(error.closeCode).toBe(closeCode);
    expect(bob.closed?.code).toBe(closeCode);
  });

  it('an acceptor that admit refuses: no ticket', async () => {
    const [alice, bob] = channelPair();
    const admit = async () => ({ closeCode: CloseCode.NotAllowed, reason: 'no ticket' });
    const accepted = acceptHandshake(bob, acceptorOptions());
    await expect(initiateHandshake(alice, initiatorOptions({ admit }))).rejects.toMatchObject({
      closeCode: CloseCode.NotAllowed,
    });
    await accepted;
    expect(bob.closed).toMatchObject({ code: CloseCode.NotAllowed, remote: true });
  });

  it('itself', async () => {
    const [alice] = channelPair();
    await expect(initiateHandshake(alice, initiatorOptions({ remoteId: ALICE }))).rejects.toMatchObject({
      closeCode: CloseCode.InvalidHandshake,
    });
    expect(alice.sent).toEqual([]);
  });
});

describe('the bonds list', () => {
  it('shows nothing to who reads the frames without the key', async () => {
    const [alice, bob] = channelPair();
    const secretName = UniqueId.from<PeerId>('carol');
    const accepted = acceptHandshake(bob, acceptorOptions({ bonds: [entryOf('carol')] }));
    await initiateHandshake(alice, initiatorOptions({ bonds: [entryOf('carol')] }));
    await accepted;
    for (const frame of [alice.sent[0], bob.sent[0]]) {
      expect(Buffer.from(frame ?? []).includes(Buffer.from(secretName, 'hex'))).toBe(false);
      expect(Buffer.from(frame ?? []).includes('127.0.0.1')).toBe(false);
    }
    // Equal lists of two senders look different: one key stream per sender.
    const { bonds: ofAlice } = HandshakeStart.decode(alice.sent[0] ?? new Uint8Array());
    const { bonds: ofBob } = HandshakeEnd.decode(bob.sent[0] ?? new Uint8Array());
    expect(ofAlice).not.toEqual(ofBob);
  });
});

describe('a handshake ends', () => {
  it('with Timeout on either side when the peer says nothing, and not a millisecond early', async () => {
    for (const side of ['initiator', 'acceptor']) {
      const clock = new VirtualClock();
      const [alice, bob] = channelPair();
      let error: HandshakeError | undefined;
      const running =
        side === 'initiator'
          ? initiateHandshake(alice, initiatorOptions({ clock }))
          : acceptHandshake(alice, acceptorOptions({ clock }));
      running.catch((e: HandshakeError) => {
        error = e;
      });
      await clock.advance(1999);
      expect(error).toBeUndefined();
      await clock.advance(1);
      expect(error).toMatchObject({ code: 'timeout', closeCode: CloseCode.Timeout });
      expect(bob.closed?.code).toBe(CloseCode.Timeout);
    }
  });

  it('with Timeout even when the timer fires a fraction early', async () => {
    const clock = new VirtualClock();
    const early: Clock = {
      nowMs: () => clock.nowMs(),
      wallMs: () => clock.wallMs(),
      schedule: (delayMs, callback) => clock.schedule(Math.max(1, Math.floor(delayMs - 0.5)), callback),
    };
    const [alice] = channelPair();
    const outcome = expect(
      initiateHandshake(alice, initiatorOptions({ clock: early, timeoutMs: 100 })),
    ).rejects.toMatchObject({ closeCode: CloseCode.Timeout });
    for (let i = 0; i < 5; i += 1) await clock.advance(50);
    await outcome;
  });

  it('with Timeout when admission takes too long, and tells the validator', async () => {
    const clock = new VirtualClock();
    const [alice, bob] = channelPair();
    const initiated = initiateHandshake(alice, initiatorOptions({ clock }));
    const refused = expect(initiated).rejects.toMatchObject({ closeCode: CloseCode.Timeout, remote: true });
    let told = false;
    const accepted = acceptHandshake(
      bob,
      acceptorOptions({
        clock,
        timeoutMs: 100,
        admit: ({ signal }) => {
          signal.addEventListener('abort', () => {
            told = true;
          });
          return new Promise(() => {});
        },
      }),
    );
    const outcome = expect(accepted).rejects.toMatchObject({ closeCode: CloseCode.Timeout });
    await clock.advance(100);
    await Promise.all([outcome, refused]);
    expect(told).toBe(true);
  });

  it('with Cancelled when the caller aborts, before or during', async () => {
    const [alice, bob] = channelPair();
    await expect(
      initiateHandshake(alice, initiatorOptions({ signal: AbortSignal.abort() })),
    ).rejects.toMatchObject({ code: 'cancelled' });
    expect(bob.closed?.code).toBe(CloseCode.Cancelled);

    const [carol, dave] = channelPair();
    const aborter = new AbortController();
    const running = initiateHandshake(carol, initiatorOptions({ signal: aborter.signal }));
    const outcome = expect(running).rejects.toMatchObject({
      code: 'cancelled',
      closeCode: CloseCode.Cancelled,
    });
    await settle();
    aborter.abort();
    await outcome;
    expect(dave.closed?.code).toBe(CloseCode.Cancelled);
  });

  it('with the close code of a peer that leaves, and 103 when it gives none', async () => {
    const [alice, bob] = channelPair();
    const running = initiateHandshake(alice, initiatorOptions());
    await bob.close(CloseCode.UnknownPeer, 'who?');
    await expect(running).rejects.toMatchObject({
      code: 'closed',
      closeCode: CloseCode.UnknownPeer,
      remote: true,
    });

    const silent: HandshakeChannel = {
      send: async () => {},
      receive: async () => undefined,
      close: async () => {},
    };
    await expect(initiateHandshake(silent, initiatorOptions())).rejects.toMatchObject({
      code: 'closed',
      closeCode: CloseCode.UnexpectedClose,
    });
  });

  it('with an error, never an unhandled one, on a channel whose every method throws', async () => {
    const broken: HandshakeChannel = {
      send: () => {
        throw new Error('send');
      },
      receive: () => {
        throw new Error('receive');
      },
      close: () => {
        throw new Error('close');
      },
    };
    await expect(initiateHandshake(broken, initiatorOptions())).rejects.toMatchObject({ code: 'closed' });
    await expect(acceptHandshake(broken, acceptorOptions())).rejects.toMatchObject({ code: 'closed' });
  });

  it("with the caller's own error when its session secret has another length", async () => {
    const [alice, bob] = channelPair();
    await alice.send(start());
    const sessionSecret = () => new Uint8Array(31);
    await expect(acceptHandshake(bob, acceptorOptions({ sessionSecret }))).rejects.toThrow(TypeError);
    expect(alice.closed?.code).toBe(CloseCode.UnexpectedClose);
    await expect(initiateHandshake(bob, initiatorOptions({ timeoutMs: 0 }))).rejects.toThrow(RangeError);
  });
});
