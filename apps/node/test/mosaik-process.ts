import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

export const EXECUTABLE = fileURLToPath(new URL('../dist/mosaik.js', import.meta.url));

export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface MosaikProcess {
  readonly child: ChildProcess;
  /** Resolves when stdout matches, from its beginning. */
  printed(pattern: RegExp): Promise<RegExpExecArray>;
  readonly outcome: Promise<Outcome>;
}

/** The real command as its users have it, ended with the test. */
export function startMosaik(
  args: readonly string[],
  options: { env?: Record<string, string>; stdin?: string; detached?: boolean } = {},
): MosaikProcess {
  if (!existsSync(EXECUTABLE)) {
    throw new Error(`${EXECUTABLE} is missing: build first (pnpm build); pnpm test does that by itself`);
  }
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('MOSAIK_'));
  const child = spawn(process.execPath, [EXECUTABLE, ...args], {
    env: { ...Object.fromEntries(inherited), ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: options.detached ?? false,
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  if (options.stdin !== undefined) child.stdin.end(options.stdin);
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const outcome = once(child, 'close').then(([code, signal]) => ({ code, signal, stdout, stderr }));
  const printed = (pattern: RegExp) =>
    new Promise<RegExpExecArray>((resolve, reject) => {
      const look = () => {
        const match = pattern.exec(stdout);
        if (match) resolve(match);
      };
      child.stdout.on('data', look);
      look();
      void outcome.then(({ code }) =>
        reject(new Error(`ended with ${code} before ${pattern}: ${stdout}${stderr}`)),
      );
    });
  return { child, printed, outcome };
}

/** Runs the command to its end. */
export function runMosaik(...args: Parameters<typeof startMosaik>): Promise<Outcome> {
  return startMosaik(...args).outcome;
}
