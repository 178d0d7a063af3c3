const COMMAND = /^([^=|]+)=([^=|]*)(?:\|([^=|]*))?$/;

/** A write to a key, or one that takes effect only if the key has the value that it expects. */
export interface Command {
  readonly key: string;
  readonly value: string;
  readonly expected: string | undefined;
}

export function writeCommand(key: string, value: string): string {
  return `${key}=${value}`;
}

/** `expected` is `''` for a key without a value. */
export function casCommand(key: string, expected: string, value: string): string {
  return `${key}=${value}|${expected}`;
}

/** A command's bytes as text, one character each: commands are ASCII, and other bytes stay apart too. */
export function commandText(value: Uint8Array): string {
  let text = '';
  for (let i = 0; i < value.length; i += 1) text += String.fromCharCode(value[i] as number);
  return text;
}

/** Undefined for a text that is no command to a key. */
export function parseCommand(text: string): Command | undefined {
  const match = COMMAND.exec(text);
  const [, key, value, expected] = match ?? [];
  return key === undefined || value === undefined ? undefined : { key, value, expected };
}
