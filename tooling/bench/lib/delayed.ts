import type { Endpoint, Transport } from '@mosaik/transport';
import { UdpRelay } from '@mosaik/transport/testing';
import { systemRng } from '@mosaik/wire/runtime';
import type { Parent } from './bench.ts';

/** A process with a relay in it: told a port, it answers with the address that stands for it. */
export async function relay(parent: Parent): Promise<void> {
  const { address, delayMs } = await parent.next<{ address: string; delayMs: number }>();
  const { address: front } = await UdpRelay.start({ port: portOf(address), delayMs, rng: systemRng });
  parent.send(front);
}

/** Dials what `routes` gives for an address, and nobody else. */
export function routedTransport(transport: Transport, routes: ReadonlyMap<string, string>): Transport {
  return {
    async listen(init) {
      const endpoint = await transport.listen(init);
      const connect: Endpoint['connect'] = (address, alpn, options) => {
        const route = routes.get(address);
        if (route === undefined) return Promise.reject(new Error(`no route to ${address}`));
        return endpoint.connect(route, alpn, options);
      };
      return new Proxy(endpoint, {
        get(target, name) {
          if (name === 'connect') return connect;
          const value: unknown = Reflect.get(target, name, target);
          return typeof value === 'function' ? (value.bind(target) as unknown) : value;
        },
      });
    },
  };
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1));
}
