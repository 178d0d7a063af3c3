import type { Logger } from '@mosaik/wire/runtime';
import pino from 'pino';
import type { LogLevel } from '../cli/defaults.ts';

/** JSON lines on stderr. Keys and identities print themselves as redacted; nothing else that is logged is a secret. */
export function createLogger(level: LogLevel): Logger {
  return pino(
    {
      level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { error: pino.stdSerializers.err, cause: pino.stdSerializers.err },
    },
    // Synchronous: what led to an exit must be on the terminal before it.
    pino.destination({ dest: 2, sync: true }),
  );
}
