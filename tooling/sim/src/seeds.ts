/** Seeds that once found something, each with a word on what it was. They run with every `pnpm test`. */
export const pastFailures: readonly { readonly seed: number; readonly found: string }[] = [
  { seed: 1031, found: 'reads of an ended leadership held up those of the next for ever' },
  { seed: 1108, found: 'the same, with the asker gone' },
];
