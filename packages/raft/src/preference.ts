/**
 * How much a member wants to lead: `normal`; `{ reluctant: factor }` multiplies its election timeout (≥ 1);
 * `observer` replicates and serves reads, never leads and never counts; `witness` is for the node that
 * `quorum.witnesses` lists: it keeps the log and votes without a state machine, and leads only until another can.
 */
export type Preference = 'normal' | { readonly reluctant: number } | 'observer' | 'witness';

/** Times longer that a reluctant member waits by default. */
export const DEFAULT_RELUCTANT_FACTOR = 3;
