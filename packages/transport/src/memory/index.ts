/**
 * `@mosaik/transport/memory`: endpoints that share a process. On a virtual clock a run depends on nothing but its
 * seed; the network's methods are the faults of a simulation.
 */
export { type MemoryTransportInit, memoryTransport } from './memory-transport.ts';
export { MemoryNetwork, type MemoryNetworkInit } from './network.ts';
