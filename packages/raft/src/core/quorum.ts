/** Fewest members that are more than half of `size`; 0 of an empty set. */
export function majority(size: number): number {
  return size === 0 ? 0 : Math.floor(size / 2) + 1;
}

/**
 * The highest value that a majority has reached (Raft §5.3: the median, rounded down). Sorts `values` in place; they
 * are few.
 */
export function quorumValue(values: number[]): number {
  if (values.length === 0) return 0;
  values.sort((a, b) => b - a);
  return values[majority(values.length) - 1] ?? 0;
}
