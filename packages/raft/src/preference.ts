/**
 * How much a member wants to lead: `normal`; `{ reluctant: factor }` multiplies its election timeout (≥ 1);
 * `observer` replicates and serves reads, never leads and never counts; `witness` is not available yet.
 */
export type Preference = 'normal' | { readonly reluctant: number } | 'observer' | 'witness';

/** Times longer that a reluctant member waits by default. */
export const DEFAULT_RELUCTANT_FACTOR = 3;
