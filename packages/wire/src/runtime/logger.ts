/** Structured logging as a port: `fields` first, as pino and its kin take it. Never given a secret. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Says nothing: the default of every library layer. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };
