import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import type { Manifest } from './workspace.ts';

/** Packs every package below `packages` into `directory`, as publishing would: by name, the tarball's bytes. */
export function packAll(root: string, directory: string): Map<string, Uint8Array> {
  const args = ['--recursive', '--filter', './packages/*', 'pack', '--pack-destination', directory];
  const options = { cwd: root, encoding: 'utf8', shell: process.platform === 'win32' } as const;
  let packed = spawnSync('pnpm', args, options);
  if (packed.error) packed = spawnSync('npx', ['-y', 'pnpm@10', ...args], options);
  if (packed.status !== 0) throw new Error(`pnpm pack failed: ${packed.stdout}${packed.stderr}`);
  const tarballs = readdirSync(directory).map((file) => Uint8Array.from(readFileSync(join(directory, file))));
  return new Map(tarballs.map((tarball) => [createPackageFromTarballData(tarball).packageName, tarball]));
}

/** What publint and attw say of a packed package, for users of ES modules, as lines. */
export async function publishedProblems(tarball: Uint8Array): Promise<string[]> {
  const lint = await publint({
    pack: { tarball: Uint8Array.from(tarball).buffer },
    strict: true,
  });
  const lines = lint.messages.map((message) => `publint: ${formatMessage(message, lint.pkg as never)}`);

  const types = await checkPackage(createPackageFromTarballData(tarball));
  if (!types.types) return [...lines, 'attw: no types'];
  // The profile `esm-only`: neither `require` nor the resolution of before exports maps is served.
  const served = types.problems.filter(
    (problem) =>
      !('resolutionKind' in problem) ||
      (problem.resolutionKind !== 'node10' && problem.resolutionKind !== 'node16-cjs'),
  );
  return [...lines, ...served.map((problem) => `attw: ${JSON.stringify(problem)}`)];
}

/** Files that the exports map names and the tarball lacks. */
export function missingExports(manifest: Manifest, tarball: Uint8Array): string[] {
  const packed = createPackageFromTarballData(tarball);
  const named = Object.values(manifest.publishConfig?.exports ?? manifest.exports ?? {}).flatMap((target) =>
    typeof target === 'string' ? [target] : Object.values(target),
  );
  return named.filter((path) => !packed.fileExists(join('/node_modules', packed.packageName, path)));
}

/** Files of the package that its README names, as a link or as code, and the tarball lacks. Tests are not published. */
export function missingFromReadme(directory: string, tarball: Uint8Array): string[] {
  const packed = createPackageFromTarballData(tarball);
  const readme = readFileSync(join(directory, 'README.md'), 'utf8');
  const named = [...readme.matchAll(/\]\((?:\.\/)?([\w/.-]+)[^)]*\)|`((?:src|examples)\/[\w/.-]+)`/g)]
    .map(([, link, code]) => link ?? code ?? '')
    .filter(
      (path) =>
        !path.startsWith('..') && statSync(join(directory, path), { throwIfNoEntry: false })?.isFile(),
    );
  return named.filter((path) => !packed.fileExists(join('/node_modules', packed.packageName, path)));
}
