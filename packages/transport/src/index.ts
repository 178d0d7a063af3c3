/**
 * `@mosaik/transport`: the ports that everything above is written against. Adapters: `./quic`, `./memory`;
 * the suite that every adapter passes: `./testing`.
 */
export { TransportError, type TransportErrorCode } from './errors.ts';
export type {
  CloseReason,
  Connection,
  ConnectOptions,
  Endpoint,
  Link,
  LinkOptions,
  LinkPriority,
  ListenInit,
  Transport,
} from './ports.ts';
export { SecretKey, verifySignature } from './secret-key.ts';
