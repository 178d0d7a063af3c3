/**
 * Resolves with what told this process to stop: SIGTERM, SIGINT, or the end of stdin. A second signal ends the
 * process at once.
 */
export function stopSignal(options: { untilStdinEnds: boolean }): Promise<string> {
  return new Promise((resolve) => {
    let stopping = false;
    const stop = (reason: string) => {
      stopping = true;
      resolve(reason);
    };
    for (const [signal, number] of [
      ['SIGTERM', 15],
      ['SIGINT', 2],
    ] as const) {
      process.on(signal, () => {
        if (stopping) process.exit(128 + number);
        stop(signal);
      });
    }
    if (options.untilStdinEnds) {
      process.stdin.on('end', () => stop('end of stdin')).on('error', () => stop('end of stdin'));
      process.stdin.resume();
    }
  });
}
