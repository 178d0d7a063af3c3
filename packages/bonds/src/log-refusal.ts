import { CloseCode, type PeerId } from '@mosaik/wire';
import type { Logger } from '@mosaik/wire/runtime';

export interface Refusal {
  readonly peer: PeerId;
  readonly address: string;
  readonly error: unknown;
  readonly closeCode: number | undefined;
}

/** Of two dials that crossed one is refused, which is as it should be; other refusals are for the operator to see. */
export function logRefusal(logger: Logger, { error, ...refusal }: Refusal, text: string): void {
  const crossed = refusal.closeCode === CloseCode.AlreadyBonded || refusal.closeCode === CloseCode.Cancelled;
  const reason = error instanceof Error ? error.message : String(error);
  logger[crossed ? 'debug' : 'info']({ ...refusal, reason }, text);
}
