import { WireError } from '@mosaik/wire';

/** The WireError that `run` throws; any other outcome is an error of its own. */
export function refusal(run: () => unknown): WireError {
  try {
    run();
  } catch (error) {
    if (error instanceof WireError) return error;
    throw error;
  }
  throw new Error('accepted');
}
