/** RFC 8446 §7.5 bounds: HkdfLabel holds a label of 7 to 255 bytes with its prefix; 255 SHA-256 blocks of output. */
export function assertExporterArguments(label: string, context: Uint8Array, length: number): void {
  const labelBytes = new TextEncoder().encode(label).length;
  if (labelBytes < 1 || labelBytes > 249)
    throw new RangeError(`label: expected 1 to 249 bytes, got ${labelBytes}`);
  if (context.length > 65_535)
    throw new RangeError(`context: expected at most 65535 bytes, got ${context.length}`);
  if (!Number.isInteger(length) || length < 1 || length > 255 * 32) {
    throw new RangeError(`length: expected an integer from 1 to ${255 * 32}, got ${length}`);
  }
}
