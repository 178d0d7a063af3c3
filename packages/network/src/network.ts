import { Discovery, type PeerBook } from '@mosaik/discovery';
import { Groups } from '@mosaik/groups';
import { type Endpoint, SecretKey, type Transport } from '@mosaik/transport';
import { quicTransport } from '@mosaik/transport/quic';
import { Alpn, type NetworkId, type PeerId, UniqueId } from '@mosaik/wire';
import {
  type Clock,
  type Logger,
  type Metrics,
  type Rng,
  silentLogger,
  silentMetrics,
  systemClock,
  systemRng,
} from '@mosaik/wire/runtime';

export interface NetworkInit {
  /** Nodes meet only within one network; any name, or an id of 64 hex digits. */
  networkId: string;
  /** This node's identity; default: a fresh one. */
  secretKey?: SecretKey;
  /** Where to bind; default: every interface, any free port. */
  listen?: { host?: string; port?: number };
  /** Addresses to tell others instead of the bound ones, as `"host:port"`. */
  advertise?: readonly string[];
  /** Default: QUIC. */
  transport?: Transport;
  discovery?: {
    /** `"<peerId>@host:port"` or `"host:port"`, dialled for ever. */
    bootstrap?: readonly string[];
    /** Labels of this node, seen by all peers. */
    tags?: readonly string[];
    /** Remembers peers from one run to the next. */
    peerBook?: PeerBook;
  };
  groups?: {
    /** How long either side of a bond's handshake waits for the other; default 2000. */
    handshakeTimeoutMs?: number;
  };
  metrics?: Metrics;
  logger?: Logger;
  /** For simulations; default: the machine's. */
  clock?: Clock;
  rng?: Rng;
}

/** One node: an identity, an address, the peers it knows, and the groups it is in. */
export class Network {
  readonly networkId: NetworkId;
  readonly discovery: Discovery;
  readonly groups: Groups;
  readonly closed: Promise<void>;
  readonly #endpoint: Endpoint;
  #closing: Promise<void> | undefined;
  #resolveClosed: () => void = () => {};

  private constructor(networkId: NetworkId, endpoint: Endpoint, discovery: Discovery, groups: Groups) {
    this.networkId = networkId;
    this.#endpoint = endpoint;
    this.discovery = discovery;
    this.groups = groups;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
  }

  /**
   * Binds an address and starts to look for peers.
   *
   * @throws TransportError `address-in-use`, `address-invalid`, `bind-failed`; TypeError for a malformed
   * bootstrap address or a missing network id.
   */
  static async create(init: NetworkInit): Promise<Network> {
    if (!init.networkId)
      throw new TypeError('networkId is missing: name the network that this node belongs to');
    const networkId = UniqueId.from<NetworkId>(init.networkId);
    const secretKey = init.secretKey ?? SecretKey.generate();
    const shared = {
      clock: init.clock ?? systemClock,
      rng: init.rng ?? systemRng,
      logger: init.logger ?? silentLogger,
      metrics: init.metrics ?? silentMetrics,
    };
    const endpoint = await (init.transport ?? quicTransport).listen({
      secretKey,
      ...init.listen,
      ...(init.advertise ? { advertise: init.advertise } : {}),
      // Only what somebody serves: connections of any other protocol would wait here for ever.
      alpns: [Alpn.groups, Alpn.discoveryAnnounce, Alpn.discoverySync],
      ...shared,
    });
    try {
      const discovery = await Discovery.start({
        endpoint,
        secretKey,
        networkId,
        ...init.discovery,
        ...shared,
      });
      const groups = new Groups({ networkId, endpoint, directory: discovery, ...init.groups, ...shared });
      return new Network(networkId, endpoint, discovery, groups);
    } catch (error) {
      await endpoint.close();
      throw error;
    }
  }

  /** This node's public key. */
  get id(): PeerId {
    return this.#endpoint.id;
  }

  /** Where others can dial this node; usable as their `bootstrap`. */
  get addresses(): readonly string[] {
    return this.#endpoint.addresses;
  }

  /** Leaves every group, announces the departure, and frees the socket. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    try {
      this.discovery.prepareClose();
      await this.groups.close();
      await this.discovery.close();
    } finally {
      await this.#endpoint.close();
      this.#resolveClosed();
    }
  }
}
