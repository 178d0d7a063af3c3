import { describe, it } from 'vitest';
import { quicTransport } from '../src/quic/index.ts';
import { runTransportSuite } from '../src/testing/index.ts';

runTransportSuite({ name: 'quic', createTransport: () => quicTransport, describe, it });
