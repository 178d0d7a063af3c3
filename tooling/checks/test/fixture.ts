import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type Manifest, readWorkspace, type Workspace } from '../src/workspace.ts';

export type Files = Readonly<Record<string, string>>;

/** A directory with these files that lives as long as the test. */
export function directoryOf(files: Files): string {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'mosaik-checks-')));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

/** A workspace of two packages, upper on lower, with these files added or replaced. */
export function workspaceOf(files: Files, manifests: Record<string, Partial<Manifest>> = {}): Workspace {
  const manifest = (name: string, rest: Partial<Manifest>) =>
    JSON.stringify({ name, exports: { '.': './src/index.ts', './testing': './src/testing.ts' }, ...rest });
  return readWorkspace(
    directoryOf({
      'package.json': JSON.stringify({ name: 'root', devDependencies: { vitest: '*' } }),
      'packages/lower/package.json': manifest('@x/lower', { ...manifests.lower }),
      'packages/lower/src/index.ts': 'export const lower = 1;',
      'packages/upper/package.json': manifest('@x/upper', {
        dependencies: { '@x/lower': '*', ...manifests.upper?.dependencies },
      }),
      'packages/upper/src/index.ts': "export { lower } from '@x/lower';",
      ...files,
    }),
  );
}
