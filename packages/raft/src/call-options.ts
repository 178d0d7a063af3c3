/** How long a call waits that sets no time of its own. */
export const DEFAULT_CALL_TIMEOUT_MS = 30_000;

export interface CallOptions {
  /** Abort after sending is `unknown-outcome`. */
  readonly signal?: AbortSignal | undefined;
  /** Default 30 000 for commands, `queryTimeoutMs` for queries. */
  readonly timeoutMs?: number | undefined;
}

export interface ExecuteOptions extends CallOptions {
  /**
   * Of 1 to 256 characters: of all commands with this key, whoever sends them, the first that commits is applied, and the
   * others are answered as it was, as long as the members remember the key (`maxSessions`, oldest forgotten first).
   * Needs the machine's `output` codec.
   */
  readonly idempotencyKey?: string | undefined;
}

export interface QueryOptions extends CallOptions {
  readonly consistency: 'weak' | 'strong';
  /** Waits until this index is applied here. */
  readonly minIndex?: number | undefined;
}
