import { spawnSync } from 'node:child_process';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const root = fileURLToPath(new URL('../../..', import.meta.url));

/** Runs a tool of the workspace from its top; resolves the name as the shell does (`pnpm run` sets PATH). */
export function run(command, args, options = {}) {
  return spawnSync(command, args, {
    cwd: root,
    shell: process.platform === 'win32',
    env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1', ...options.env },
    stdio: options.stdio ?? 'inherit',
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
}

/** Builds every package. Says little unless it fails; then everything. Whether it succeeded. */
export function build() {
  process.stderr.write('building (the first time takes a while)\n');
  const built = run('turbo', ['run', 'build', '--output-logs=errors-only'], { stdio: 'pipe' });
  if (built.status === 0) return true;
  process.stderr.write(built.error ? `${built.error.message}\n` : `${built.stdout}${built.stderr}`);
  return false;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) process.exitCode = build() ? 0 : 1;
