import type { EndpointLimits } from '../shared/options.ts';
import type { Native, NativeConfig } from './native.ts';

/** Streams that the peer opened and this side has not finished. */
export const MAX_PEER_STREAMS = 256;
/** What a stream may hold unread at first and after its window grew; a connection likewise, over all of its streams. */
const STREAM_WINDOW_BYTES = 1024 * 1024;
const MAX_STREAM_WINDOW_BYTES = 4 * 1024 * 1024;
const CONNECTION_WINDOW_BYTES = 8 * 1024 * 1024;
const MAX_CONNECTION_WINDOW_BYTES = 32 * 1024 * 1024;
/** Largest UDP payload over IPv4. It is the sender who chooses. */
const MAX_RECEIVED_DATAGRAM_BYTES = 65_527;
const MAX_ACK_DELAY_MS = 10;

export interface ConfigInit {
  keyPem: Uint8Array;
  certificatePem: Uint8Array;
  alpns: readonly string[];
  datagramBytes: number;
  limits: EndpointLimits;
  /** The side that dials takes one one-way stream from the other: the welcome. */
  dialling: boolean;
}

export interface ConfigsInit extends Omit<ConfigInit, 'datagramBytes' | 'dialling'> {
  native: Native;
}

/** The settings of an endpoint's connections, made when they are first needed. */
export class Configs {
  readonly #init: ConfigsInit;
  readonly #configs = new Map<string, NativeConfig>();

  constructor(init: ConfigsInit) {
    this.#init = init;
  }

  /** `dialled`: the protocol that is dialled; without, for connections that are accepted. */
  of(loopback: boolean, dialled?: string): NativeConfig {
    const key = `${loopback} ${dialled ?? ''}`;
    let config = this.#configs.get(key);
    if (!config) {
      const { native, alpns, limits } = this.#init;
      config = createConfig(native, {
        ...this.#init,
        alpns: dialled === undefined ? alpns : [dialled],
        datagramBytes: loopback ? limits.loopbackDatagramBytes : limits.maxDatagramBytes,
        dialling: dialled !== undefined,
      });
      this.#configs.set(key, config);
    }
    return config;
  }
}

/** One object serves any number of connections. */
function createConfig(native: Native, init: ConfigInit): NativeConfig {
  const { limits } = init;
  // Certificates are required and none is refused here: the endpoint compares their key itself. An empty list in
  // place of null would end the process.
  const config = native.Config.withBoringSslCtx(
    true,
    true,
    null,
    [init.keyPem],
    [init.certificatePem],
    'ed25519',
  );
  config.logKeys();
  config.grease(false);
  config.setApplicationProtos([...init.alpns]);
  config.setMaxIdleTimeout(limits.idleTimeoutMs);
  config.setMaxRecvUdpPayloadSize(MAX_RECEIVED_DATAGRAM_BYTES);
  config.setMaxSendUdpPayloadSize(init.datagramBytes);
  config.setInitialMaxData(CONNECTION_WINDOW_BYTES);
  config.setInitialMaxStreamDataBidiLocal(STREAM_WINDOW_BYTES);
  config.setInitialMaxStreamDataBidiRemote(STREAM_WINDOW_BYTES);
  config.setInitialMaxStreamDataUni(init.dialling ? 16 : 0);
  config.setMaxStreamWindow(MAX_STREAM_WINDOW_BYTES);
  config.setMaxConnectionWindow(MAX_CONNECTION_WINDOW_BYTES);
  config.setInitialMaxStreamsBidi(MAX_PEER_STREAMS);
  config.setInitialMaxStreamsUni(init.dialling ? 1 : 0);
  // Known weaknesses of the library: connection-id bookkeeping and path migration. Neither is used.
  config.setActiveConnectionIdLimit(2);
  config.setDisableActiveMigration(true);
  // We acknowledge within a turn of the loop: the peer need not wait longer before it sends again what was lost.
  config.setMaxAckDelay(MAX_ACK_DELAY_MS);
  config.setCcAlgorithmName('cubic');
  config.enableHystart(true);
  config.enablePacing(false);
  return config;
}
