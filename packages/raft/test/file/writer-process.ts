import { writeSync } from 'node:fs';
import { fileLogStorage } from '../../src/file/index.ts';
import { append, HARD } from './support.ts';

// Writes numbers to the log in `argv[2]`, several at a time, and says which are acknowledged.
const storage = fileLogStorage(process.argv[2] as string, { segmentBytes: 16_384 });
const stored = await storage.open();
let next = 1 + (stored?.runs.reduce((sum, { entries }) => sum + entries.length, 0) ?? 0);
if (!stored) await storage.write(HARD);
writeSync(1, 'open\n');
const lane = async () => {
  for (;;) {
    const number = next;
    next += 1;
    await storage.write(append(1, `${number} ${'v'.repeat(number % 700)}`));
    writeSync(1, `${number}\n`);
  }
};
await Promise.all([lane(), lane(), lane()]);
