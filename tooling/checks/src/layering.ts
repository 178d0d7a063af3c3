import { dirname, join, resolve, sep } from 'node:path';
import { type Import, importsOf, parseFile } from './imports.ts';
import { type Layer, testingImports } from './layers.ts';
import { type Package, shown, type Workspace } from './workspace.ts';

interface Module {
  readonly owner: Package;
  readonly file: string;
  readonly imports: readonly Import[];
}

/**
 * Every import that the table of layers, the manifests or the exports maps do not allow, and every cycle of modules.
 * Each problem is one line that starts with `file:line`.
 */
export function layeringProblems(
  workspace: Workspace,
  layers: Readonly<Record<string, Layer>>,
): { problems: string[]; modules: number } {
  const problems: string[] = [];
  const modules: Module[] = workspace.packages.flatMap((owner) =>
    owner.files.map((file) => ({ owner, file, imports: importsOf(parseFile(file)) })),
  );
  const packages = new Map(workspace.packages.map((owner) => [owner.name, owner]));
  for (const owner of workspace.packages) {
    if (!layers[owner.name] && !isTooling(workspace, owner))
      problems.push(
        `${shown(workspace.root, owner.directory)}:1 ${owner.name} is not in the table of layers`,
      );
  }
  for (const module of modules) {
    for (const entry of module.imports) {
      const problem = importProblem(workspace, packages, layers[module.owner.name], module, entry);
      if (problem !== undefined)
        problems.push(`${shown(workspace.root, module.file)}:${entry.line} ${problem}`);
    }
  }
  problems.push(...unused(workspace, modules), ...cycles(workspace, modules));
  return { problems, modules: modules.length };
}

function importProblem(
  workspace: Workspace,
  packages: ReadonlyMap<string, Package>,
  layer: Layer | undefined,
  { owner, file }: Module,
  { specifier }: Import,
): string | undefined {
  const source = isBelow(file, join(owner.directory, 'src'));
  const testing = isBelow(file, join(owner.directory, 'src', 'testing'));
  if (specifier === undefined) return source ? 'imports what it computes' : undefined;

  if (specifier.startsWith('.')) {
    const target = resolve(dirname(file), specifier);
    if (!isBelow(target, owner.directory)) return `"${specifier}" leaves the package`;
    if (source && !testing && isBelow(target, join(owner.directory, 'src', 'testing')))
      return `"${specifier}" is for tests only`;
    return undefined;
  }
  const scheme = /^[a-z]+:/.exec(specifier)?.[0];
  if (scheme !== undefined) {
    if (!layer || !source || allows(layer, owner, file, testing, scheme)) return undefined;
    return `"${specifier}" is not allowed in ${owner.name}`;
  }

  const name = packageName(specifier);
  const target = packages.get(name);
  if (target) {
    const subpath = `.${specifier.slice(name.length)}`;
    if (!Object.hasOwn(target.manifest.exports ?? {}, subpath))
      return `"${specifier}" is not in the exports map of ${name}`;
    if (source && layer && !testing && subpath === './testing') return `"${specifier}" is for tests only`;
    if (name === owner.name)
      return source ? `"${specifier}" is the package itself: use a relative path` : undefined;
  }
  const bundled = layer?.bundled?.some((directory) => isBelow(file, join(owner.directory, directory)));
  const installed = source && !testing && !bundled && !isTooling(workspace, owner);
  if (!isDeclared(workspace, owner, name, installed)) return `"${name}" is not declared in package.json`;
  if (layer && source && !allows(layer, owner, file, testing, name))
    return `"${name}" is not allowed in ${owner.name}`;
  return undefined;
}

function allows(layer: Layer, owner: Package, file: string, testing: boolean, name: string): boolean {
  const extra = Object.entries(layer.below ?? {})
    .filter(([directory]) => isBelow(file, join(owner.directory, directory)))
    .flatMap(([, names]) => names);
  const allowed = [...layer.imports, ...extra, ...(testing ? testingImports : [])];
  // The asterisk stands for the registry only: a package of this repository is always named.
  return allowed.includes(name) || (allowed.includes('*') && !name.startsWith('@mosaik/'));
}

/** What users install imports only what is installed with it; the rest also what is there for development. */
function isDeclared(workspace: Workspace, owner: Package, name: string, installed: boolean): boolean {
  const { dependencies, peerDependencies, devDependencies } = owner.manifest;
  if (name in { ...dependencies, ...peerDependencies }) return true;
  return !installed && name in { ...devDependencies, ...workspace.manifest.devDependencies };
}

/** What a package makes its users install although none of its own modules imports it. */
function unused(workspace: Workspace, modules: readonly Module[]): string[] {
  return workspace.packages.flatMap((owner) => {
    const imported = new Set(
      modules
        .filter(({ file }) => isBelow(file, join(owner.directory, 'src')))
        .flatMap(({ imports }) => imports.map(({ specifier }) => packageName(specifier ?? ''))),
    );
    return Object.keys(isTooling(workspace, owner) ? {} : (owner.manifest.dependencies ?? {}))
      .filter((name) => !imported.has(name))
      .map((name) => `${shown(workspace.root, owner.directory)}/package.json:1 "${name}" is never imported`);
  });
}

/** One line for each circle of modules that need one another to be loaded; imports of types are erased. */
function cycles(workspace: Workspace, modules: readonly Module[]): string[] {
  const files = new Set(modules.map((module) => module.file));
  const edges = new Map(
    modules.map((module) => [
      module.file,
      module.imports.flatMap(({ specifier, typeOnly }) => {
        const target =
          !typeOnly && specifier?.startsWith('.') ? resolve(dirname(module.file), specifier) : undefined;
        return target !== undefined && files.has(target) ? [target] : [];
      }),
    ]),
  );
  const problems: string[] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const walk = (file: string): void => {
    const start = path.indexOf(file);
    if (start >= 0) {
      const circle = [...path.slice(start), file].map((step) => shown(workspace.root, step));
      problems.push(`${circle[0]}:1 import cycle: ${circle.join(' → ')}`);
      return;
    }
    if (done.has(file)) return;
    path.push(file);
    for (const target of edges.get(file) ?? []) walk(target);
    path.pop();
    done.add(file);
  };
  for (const file of files) walk(file);
  return problems;
}

function packageName(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

function isTooling(workspace: Workspace, owner: Package): boolean {
  return isBelow(owner.directory, join(workspace.root, 'tooling'));
}

function isBelow(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory + sep);
}
