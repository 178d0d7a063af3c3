import { describe, it } from 'vitest';
import { MemoryNetwork, memoryTransport } from '../src/memory/index.ts';
import { runTransportSuite } from '../src/testing/index.ts';

// Every transport of one fact joins the same network.
const network = new MemoryNetwork();
runTransportSuite({ name: 'memory', createTransport: () => memoryTransport({ network }), describe, it });
