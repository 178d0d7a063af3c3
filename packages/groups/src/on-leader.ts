import type { RaftStatus } from '@mosaik/raft';
import type { PeerId } from '@mosaik/wire';
import type { Watch } from '@mosaik/wire/runtime';

/**
 * Keeps `task` running exactly while `localId` leads and may serve, one run at a time.
 *
 * A leader that lost its quorum is suspended: its task is aborted although nobody else leads yet.
 */
export function runOnLeader(
  status: Watch<RaftStatus>,
  localId: PeerId,
  task: (signal: AbortSignal, term: number) => unknown,
  onError: (error: unknown) => void,
): () => void {
  let stopped = false;
  let run: { term: number; abort: AbortController } | undefined;
  let settled: Promise<void> = Promise.resolve();

  const leadingTerm = ({ leader, online, term }: RaftStatus) =>
    !stopped && leader === localId && online ? term : undefined;

  const follow = () => {
    const term = leadingTerm(status.value);
    if (run?.term === term) return;
    run?.abort.abort(new DOMException('this node no longer leads', 'AbortError'));
    run = undefined;
    if (term === undefined) return;
    const { signal } = startRun(term);
    settled = settled.then(async () => {
      // Leadership may have gone while the run before took its time to stop.
      if (signal.aborted) return;
      try {
        await task(signal, term);
      } catch (error) {
        if (!signal.aborted) onError(error);
      }
    });
  };

  const startRun = (term: number) => {
    const abort = new AbortController();
    run = { term, abort };
    return abort;
  };

  const unsubscribe = status.subscribe(follow);
  follow();
  return () => {
    stopped = true;
    unsubscribe();
    follow();
  };
}
