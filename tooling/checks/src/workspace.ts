import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The top of this repository. */
export const repository = fileURLToPath(new URL('../../..', import.meta.url));

export interface Manifest {
  name: string;
  dependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  exports?: Record<string, string | Record<string, string>>;
  publishConfig?: { exports?: Record<string, string | Record<string, string>> };
}

export interface Package {
  readonly name: string;
  /** Absolute. */
  readonly directory: string;
  readonly manifest: Manifest;
  /** Absolute paths of its TypeScript and JavaScript modules: `src`, `test`, `bin`, `examples` … */
  readonly files: readonly string[];
}

export interface Workspace {
  readonly root: string;
  readonly manifest: Manifest;
  readonly packages: readonly Package[];
}

const MODULE = /\.[cm]?[jt]sx?$/;
const NOT_OURS = new Set(['node_modules', 'dist']);

/** Reads every package below `packages`, `apps` and `tooling`. */
export function readWorkspace(root: string): Workspace {
  const directories = ['packages', 'apps', 'tooling']
    .map((name) => join(root, name))
    .filter((directory) => existsSync(directory))
    .flatMap((directory) => readdirSync(directory).map((name) => join(directory, name)))
    .filter((directory) => existsSync(join(directory, 'package.json')));
  const packages = directories.map((directory) => {
    const manifest = readManifest(directory);
    return { name: manifest.name, directory, manifest, files: listModules(directory) };
  });
  return { root, manifest: readManifest(root), packages };
}

export function readManifest(directory: string): Manifest {
  return JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as Manifest;
}

/** A path as problems print it: relative to the root, with forward slashes. */
export function shown(root: string, file: string): string {
  return relative(root, file).split(sep).join('/');
}

function listModules(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return NOT_OURS.has(entry.name) ? [] : listModules(path);
    return MODULE.test(entry.name) ? [path] : [];
  });
}
