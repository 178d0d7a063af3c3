import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';

export const hex = bytesToHex;

/** Bytes from hex digits; spaces are for the reader. */
export function unhex(text: string): Uint8Array {
  return hexToBytes(text.replaceAll(' ', ''));
}
