/** What leaves a connection at once: eight TLS records. While they leave, what comes next is not chosen yet. */
const BATCH_BYTES = 131_072;
const MAX_SPARE = 4;

/** Buffers of one batch each. Connections hold one only while it leaves, so quiet ones cost nothing. */
const spare: Uint8Array[] = [];

export function takeBatch(): Uint8Array {
  return spare.pop() ?? new Uint8Array(Buffer.allocUnsafeSlow(BATCH_BYTES).buffer);
}

/** Nothing refers to the batch any more. */
export function returnBatch(batch: Uint8Array): void {
  if (spare.length < MAX_SPARE) spare.push(batch);
}
