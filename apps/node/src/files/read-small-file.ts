import { open } from 'node:fs/promises';

/** The text of a file, refused above `maxBytes`: a path given by mistake must not fill the memory. */
export async function readSmallFile(path: string, maxBytes: number): Promise<string> {
  const file = await open(path, 'r');
  try {
    const buffer = Buffer.alloc(maxBytes + 1);
    let length = 0;
    while (length <= maxBytes) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length);
      if (bytesRead === 0) return buffer.toString('utf8', 0, length);
      length += bytesRead;
    }
    throw new RangeError(`is larger than ${maxBytes} bytes`);
  } finally {
    await file.close();
  }
}
