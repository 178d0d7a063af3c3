import { describe, it } from 'vitest';
import { runTransportSuite } from '../src/testing/index.ts';
import { tlsTransport } from '../src/tls/index.ts';

runTransportSuite({ name: 'tls', createTransport: () => tlsTransport, describe, it });
