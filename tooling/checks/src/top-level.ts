import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';

const ALLOWED = new Set([
  ...['README.md', 'LICENSE', 'package.json', 'pnpm-workspace.yaml', 'pnpm-lock.yaml', 'turbo.json'],
  ...['packages', 'apps', 'tooling'],
]);

/** Entries at the top of the repository that do not belong there; dot files do. */
export function topLevelProblems(root: string): string[] {
  return [...new Set(topLevelEntries(root))].filter((name) => !ALLOWED.has(name) && !name.startsWith('.'));
}

/** What git knows or would add; without git (an unpacked archive), what is there but for installed packages. */
function topLevelEntries(root: string): string[] {
  try {
    const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
      cwd: root,
      encoding: 'utf8',
      maxBuffer: 1 << 26,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return listed
      .split('\0')
      .filter((path) => path !== '')
      .map((path) => path.split('/')[0] ?? '');
  } catch {
    return readdirSync(root).filter((name) => name !== 'node_modules');
  }
}
