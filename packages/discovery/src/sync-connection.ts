import type { Connection } from '@mosaik/transport';
import {
  CloseCode,
  MAX_SYNC_FRAME_BYTES,
  MAX_SYNC_START_BYTES,
  type NetworkId,
  type SignedPeerEntry,
} from '@mosaik/wire';
import type { Clock } from '@mosaik/wire/runtime';
import { SyncExchange, type SyncInput, type SyncView } from './core/sync.ts';
import { refusal } from './dial.ts';

export interface SyncConnectionInit {
  readonly networkId: NetworkId;
  readonly view: SyncView;
  /** Takes an entry; false when no honest peer would have sent it. */
  readonly receive: (entry: SignedPeerEntry) => boolean;
  readonly clock: Clock;
  readonly timeoutMs: number;
}

/**
 * Runs one catalog exchange over a connection and closes it. Bounded in time, whatever the peer does.
 *
 * @throws DiscoveryError with the code that the connection ended with.
 */
export async function syncOver(connection: Connection, init: SyncConnectionInit): Promise<void> {
  const deadline = init.clock.schedule(init.timeoutMs, () => {
    void connection.close(CloseCode.Timeout, `no catalog exchange within ${init.timeoutMs} ms`);
  });
  try {
    if (await exchange(connection, init)) return;
  } catch {
    // Only the connection's end says why.
    void connection.close(CloseCode.UnexpectedClose, 'the exchange failed');
  } finally {
    deadline.cancel();
  }
  const { code, reason } = await connection.closed;
  throw refusal(connection.remoteAddress, code, reason);
}

async function exchange(connection: Connection, init: SyncConnectionInit): Promise<boolean> {
  const { initiator } = connection;
  const core = new SyncExchange({ initiator, networkId: init.networkId, view: init.view });
  const link = initiator ? await connection.openLink() : await connection.acceptLink();
  link.maxFrameBytes = initiator ? MAX_SYNC_FRAME_BYTES : MAX_SYNC_START_BYTES;
  let completed = false;
  let closing = false;

  const fail = () => void connection.close(CloseCode.UnexpectedClose, 'the exchange failed');
  const run = (first: SyncInput): void => {
    const inputs = [first];
    for (let input = inputs.shift(); input; input = inputs.shift()) {
      core.handle(input);
      for (const effect of core.drain()) {
        if (effect.type === 'send') {
          if (link.write(effect.frame)) inputs.push({ type: 'sent' });
          else
            void link
              .drained()
              .then(() => run({ type: 'sent' }))
              .catch(fail);
        } else if (effect.type === 'frame-limit') {
          link.maxFrameBytes = effect.bytes;
        } else if (effect.type === 'completed') {
          completed = !closing;
        } else if (effect.type === 'close') {
          closing = true;
          void connection.close(effect.code, effect.reason);
        } else if (!closing && !init.receive(effect.entry)) {
          completed = false;
          closing = true;
          void connection.close(CloseCode.ProtocolViolation, "an entry that is not its subject's");
        }
      }
    }
  };

  run({ type: 'opened' });
  while (!completed && !closing) {
    const frame = await link.receive();
    if (!frame) {
      void connection.close(CloseCode.ProtocolViolation, 'the exchange ended early');
      return false;
    }
    run({ type: 'frame', frame });
  }
  // The initiator closes; what the acceptor sent last is then known to have arrived.
  if (completed && !initiator) await connection.closed;
  return completed;
}
