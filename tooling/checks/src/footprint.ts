import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readManifest } from './workspace.ts';

/** Everything that installing the package in `directory` brings along, by name; optional peers are not installed. */
export function footprint(directory: string): Set<string> {
  const found = new Set<string>();
  const add = (from: string): void => {
    for (const name of Object.keys(readManifest(from).dependencies ?? {})) {
      if (found.has(name)) continue;
      found.add(name);
      add(locate(name, from));
    }
  };
  add(directory);
  return found;
}

function locate(name: string, from: string): string {
  for (let directory = realpathSync(from); ; directory = dirname(directory)) {
    const candidate = join(directory, 'node_modules', name);
    if (existsSync(candidate)) return realpathSync(candidate);
    if (directory === dirname(directory)) throw new Error(`${name} is not installed for ${from}`);
  }
}
