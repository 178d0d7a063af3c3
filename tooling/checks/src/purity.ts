import { dirname, relative, resolve, sep } from 'node:path';
import ts from 'typescript';
import { importsOf, lineOf, parseFile } from './imports.ts';
import { shown, type Workspace } from './workspace.ts';

/** Names of the host that bring in time, randomness, I/O or another turn of the event loop. */
const AMBIENT = new Set([
  ...['Date', 'performance', 'crypto', 'process', 'Promise', 'console', 'fetch', 'WebSocket', 'Worker'],
  ...['setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval', 'clearImmediate'],
  ...['queueMicrotask', 'structuredClone', 'globalThis', 'require', 'eval', 'Function'],
  ...['AbortController', 'AbortSignal', 'EventTarget', 'MessageChannel', 'WeakRef', 'FinalizationRegistry'],
]);

/** Subpaths whose values are ambient by design: a core may only name their types. */
const AMBIENT_MODULES = new Set(['@mosaik/wire/runtime']);

/** Every module below a directory `core` in a `src` of `packages`, and every module of its package that one of those imports. */
export function coreFiles(workspace: Workspace): string[] {
  const all = new Set(workspace.packages.flatMap((owner) => owner.files));
  const found = new Set<string>();
  const add = (file: string): void => {
    if (found.has(file) || !all.has(file)) return;
    found.add(file);
    for (const { specifier, typeOnly } of importsOf(parseFile(file)))
      if (!typeOnly && specifier?.startsWith('.')) add(resolve(dirname(file), specifier));
  };
  for (const owner of workspace.packages)
    for (const file of owner.files) {
      const [first, ...directories] = relative(owner.directory, dirname(file)).split(sep);
      if (first === 'src' && directories.includes('core')) add(file);
    }
  return [...found];
}

/** Every use of ambient time, randomness or I/O, and every asynchronous construct, as lines `file:line what`. */
export function purityProblems(workspace: Workspace): { problems: string[]; modules: number } {
  const files = coreFiles(workspace);
  const problems: string[] = [];
  for (const file of files) {
    const source = parseFile(file);
    const report = (node: ts.Node, what: string) => {
      problems.push(`${shown(workspace.root, file)}:${lineOf(source, node)} ${what}`);
    };
    for (const { specifier, line, typeOnly } of importsOf(source)) {
      if (
        specifier === undefined ||
        specifier.startsWith('node:') ||
        (AMBIENT_MODULES.has(specifier) && !typeOnly)
      )
        problems.push(`${shown(workspace.root, file)}:${line} imports ${specifier ?? 'what it computes'}`);
    }
    visit(source, report);
  }
  return { problems, modules: files.length };
}

function visit(node: ts.Node, report: (node: ts.Node, what: string) => void): void {
  if (ts.isIdentifier(node)) {
    if (AMBIENT.has(node.text) && isReference(node)) report(node, `uses ${node.text}`);
    if (node.text === 'Math' && isReference(node) && !isPureMath(node)) report(node, 'uses Math.random');
  } else if (ts.isAwaitExpression(node) || (ts.isForOfStatement(node) && node.awaitModifier)) {
    report(node, 'awaits');
  } else if (ts.isMetaProperty(node) && node.keywordToken === ts.SyntaxKind.ImportKeyword) {
    report(node, 'uses import.meta');
  } else if (node.kind === ts.SyntaxKind.AsyncKeyword) {
    report(node, 'is async');
  }
  ts.forEachChild(node, (child) => visit(child, report));
}

/** Whether the identifier reads a variable, as against naming a member, a declaration's own parameter, or a type. */
function isReference(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent) || ts.isQualifiedName(parent)) return !isRightSide(parent, node);
  if (ts.isTypeReferenceNode(parent)) return node.text === 'Promise';
  if (ts.isShorthandPropertyAssignment(parent)) return true;
  if (ts.isBindingElement(parent)) return parent.initializer === node;
  const named = parent as { name?: ts.Node };
  return named.name !== node;
}

function isRightSide(parent: ts.PropertyAccessExpression | ts.QualifiedName, node: ts.Identifier): boolean {
  return ts.isPropertyAccessExpression(parent) ? parent.name === node : parent.right === node;
}

/** `Math.max` and its kin; anything else done with `Math` could reach `random`. */
function isPureMath({ parent }: ts.Identifier): boolean {
  return ts.isPropertyAccessExpression(parent) && parent.name.text !== 'random';
}

/** What `tsc` says of the cores when neither Node's nor the browser's types exist. */
export function coreTypeProblems(workspace: Workspace): string[] {
  const files = coreFiles(workspace);
  const program = ts.createProgram(files, {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    lib: ['lib.es2023.d.ts'],
    types: [],
    customConditions: ['@mosaik/source'],
    allowImportingTsExtensions: true,
    strict: true,
    noEmit: true,
    skipLibCheck: true,
  });
  return files.flatMap((file) =>
    program.getSemanticDiagnostics(program.getSourceFile(file)).map((diagnostic) => {
      const line = diagnostic.file?.getLineAndCharacterOfPosition(diagnostic.start ?? 0).line ?? 0;
      const message = ts.flattenDiagnosticMessageText(diagnostic.messageText, ' ');
      return `${shown(workspace.root, file)}:${line + 1} ${message}`;
    }),
  );
}
