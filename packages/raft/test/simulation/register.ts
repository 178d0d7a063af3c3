/** One call on one key, with when it was made and when it was answered. */
export interface RegisterOperation {
  readonly kind: 'write' | 'cas' | 'read';
  /** What it writes, or what the read was answered with; `''` for nothing. */
  value: string | undefined;
  readonly expected: string | undefined;
  /** A cas that was answered: whether it took effect. */
  succeeded: boolean;
  readonly called: number;
  /** Undefined when nobody was ever told. */
  ended: number | undefined;
  /** It took place, whoever was told: an unanswered one that did not is left out. */
  happened: boolean;
  /** Where it stands in an order that somebody knows of: at its own effect, or behind the one that it saw. */
  place?: number | undefined;
}

/** Steps that a search may take. */
const MAX_STEPS = 200_000;

/**
 * Whether some order of the operations, each between its call and its answer, gives every answer (Wing and Gong 1993,
 * with Lowe's memory of configurations). Unanswered writes that took place may have done so at any time after their call.
 * Undefined when there is one (or the search is given up), else what could not be explained.
 *
 * The order of the places is tried first: it nearly always is one, and then nothing has to be searched.
 */
export function findOrder(all: readonly RegisterOperation[]): string | undefined {
  const operations = all
    .filter(({ kind, ended, happened }) => ended !== undefined || (kind !== 'read' && happened))
    .sort((a, b) => a.called - b.called);
  if (areExplained(operations)) return undefined;
  const done = new Uint8Array(operations.length);
  const configurations = new Set<string>();
  let steps = 0;
  let furthest = 0;

  /** Answered ones that are left: `first`, before which all are done, and `last`, the last one that is. */
  const search = (first: number, last: number, answered: number, value: string): boolean => {
    while (done[first]) first += 1;
    furthest = Math.max(furthest, first);
    if (answered === 0) return true;
    steps += 1;
    if (steps > MAX_STEPS) return true;
    const key = `${value}/${first}/${done.subarray(first, last + 1).join('')}`;
    if (configurations.has(key)) return false;
    configurations.add(key);
    let earliestEnd = Number.POSITIVE_INFINITY;
    for (let i = first; i < operations.length; i += 1) {
      const { ended = Number.POSITIVE_INFINITY, called } = operations[i] as RegisterOperation;
      if (called > earliestEnd) break;
      if (!done[i]) earliestEnd = Math.min(earliestEnd, ended);
    }
    for (let i = first; i < operations.length; i += 1) {
      const operation = operations[i] as RegisterOperation;
      if (operation.called > earliestEnd) break;
      if (done[i]) continue;
      const after = apply(operation, value);
      if (after === undefined) continue;
      done[i] = 1;
      const left = operation.ended === undefined ? answered : answered - 1;
      if (search(first, Math.max(last, i), left, after)) return true;
      done[i] = 0;
    }
    return false;
  };
  if (search(0, -1, operations.filter(({ ended }) => ended !== undefined).length, '')) return undefined;
  return operations
    .slice(Math.max(0, furthest - 3), furthest + 6)
    .map(describe)
    .join('; ');
}

/** Whether the order of their places gives every answer, and none of them ended before one in front of it was called. */
function areExplained(operations: readonly RegisterOperation[]): boolean {
  if (operations.some(({ place }) => place === undefined)) return false;
  const inPlace = operations.toSorted(comparePlaces);
  let value = '';
  let latestCall = 0;
  for (const operation of inPlace) {
    latestCall = Math.max(latestCall, operation.called);
    if (operation.ended !== undefined && operation.ended < latestCall) return false;
    const after = apply(operation, value);
    if (after === undefined) return false;
    value = after;
  }
  return true;
}

/** What had the effect, then those that saw it. */
function comparePlaces(a: RegisterOperation, b: RegisterOperation): number {
  return (a.place ?? 0) - (b.place ?? 0) || Number(sees(a)) - Number(sees(b)) || a.called - b.called;
}

function sees({ kind, succeeded }: RegisterOperation): boolean {
  return kind === 'read' || !succeeded;
}

/** The value after it; undefined when the answer contradicts the value before. */
function apply({ kind, value = '', expected, succeeded, ended }: RegisterOperation, before: string) {
  if (kind === 'read') return value === before ? before : undefined;
  if (kind === 'write') return value;
  const matches = expected === before;
  if (ended !== undefined && matches !== succeeded) return undefined;
  return matches ? value : before;
}

function describe({ kind, value, expected, succeeded, called, ended }: RegisterOperation): string {
  const what =
    kind === 'cas' ? `cas ${expected}>${value} ${succeeded ? 'took' : 'missed'}` : `${kind} ${value}`;
  return `${what} [${called}, ${ended ?? '?'}]`;
}
