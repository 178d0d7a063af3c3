import type { Clock, Rng } from '@mosaik/wire/runtime';
import type { Transport } from '../ports.ts';
import { MemoryEndpoint } from './endpoint.ts';
import { MemoryNetwork } from './network.ts';

export interface MemoryTransportInit {
  /** For a network of its own; ignored when `network` is given. */
  clock?: Clock | undefined;
  rng?: Rng | undefined;
  /** What endpoints are joined by; transports over one network reach each other. Default: a new one. */
  network?: MemoryNetwork | undefined;
}

/**
 * Endpoints in memory, joined by `"host:port"`. Time is the network's clock: `listen({ clock })` is ignored.
 *
 * @example
 * const clock = new VirtualClock();
 * const { listen, network } = memoryTransport({ clock, rng: seededRng(1) });
 * network.latencyMs = () => 5;
 */
export function memoryTransport(
  init: MemoryTransportInit = {},
): Transport & { readonly network: MemoryNetwork } {
  const network = init.network ?? new MemoryNetwork({ clock: init.clock, rng: init.rng });
  return { network, listen: async (listen) => new MemoryEndpoint(network, listen) };
}
