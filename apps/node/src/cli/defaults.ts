/** What `mosaik up` takes and assumes. Apart from the settings, so that short commands need not load a node. */
export const LOG_LEVELS = ['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export const PREFERENCES = ['normal', 'reluctant', 'observer', 'witness'] as const;
export const TRANSPORTS = ['quic', 'tls'] as const;
export type TransportName = (typeof TRANSPORTS)[number];
export const DEFAULT_HTTP = '127.0.0.1:7480';
export const DEFAULT_LISTEN = '0.0.0.0:0';
