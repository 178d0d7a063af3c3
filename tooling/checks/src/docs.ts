import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { shown, type Workspace } from './workspace.ts';

/** Names that an example takes from around it: what they stand for is said in prose. */
const UNDECLARED = new Set([2304, 2552, 18004]);

interface Example {
  /** As if it lay in the package, so that it imports what a module there can. */
  readonly file: string;
  readonly text: string;
  readonly readme: string;
  readonly line: number;
}

/** What the compiler says of every ```ts block of the READMEs, as lines `file:line message`. */
export function exampleProblems(workspace: Workspace): { problems: string[]; examples: number } {
  const examples = [
    ...examplesOf(join(workspace.root, 'README.md'), workspace.root),
    ...workspace.packages.flatMap(({ directory }) => examplesOf(join(directory, 'README.md'), directory)),
  ];
  const byFile = new Map(examples.map((example) => [example.file, example]));
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
    types: ['node'],
    customConditions: ['@mosaik/source'],
    allowImportingTsExtensions: true,
    strict: true,
    noEmit: true,
    skipLibCheck: true,
  };
  const host = ts.createCompilerHost(options);
  const { fileExists, getSourceFile } = host;
  host.getCurrentDirectory = () => workspace.root;
  host.fileExists = (file) => byFile.has(file) || fileExists(file);
  host.getSourceFile = (file, version, ...rest) => {
    const example = byFile.get(file);
    return example ? ts.createSourceFile(file, example.text, version) : getSourceFile(file, version, ...rest);
  };
  // What an example's own package cannot import, such as a package above it, this one can.
  const reader = join(workspace.root, 'tooling', 'checks', 'reader.ts');
  host.resolveModuleNameLiterals = (literals, file) =>
    literals.map(({ text }) => {
      const own = ts.resolveModuleName(text, file, options, host);
      return own.resolvedModule || !byFile.has(file)
        ? own
        : ts.resolveModuleName(text, reader, options, host);
    });
  const program = ts.createProgram([...byFile.keys()], options, host);
  const problems = examples.flatMap(({ file, readme, line }) => {
    const source = program.getSourceFile(file);
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]
      .filter(({ code }) => !UNDECLARED.has(code))
      .map(({ start, messageText }) => {
        const at = line + (source?.getLineAndCharacterOfPosition(start ?? 0).line ?? 0);
        return `${shown(workspace.root, readme)}:${at} ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
      });
  });
  return { problems, examples: examples.length };
}

function examplesOf(readme: string, directory: string): Example[] {
  if (!existsSync(readme)) return [];
  const text = readFileSync(readme, 'utf8');
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map((match, i) => ({
    file: join(directory, `readme-example-${i}.ts`),
    // An example without an import must be a module all the same.
    text: `${match[1]}\nexport {};`,
    readme,
    line: text.slice(0, match.index).split('\n').length + 1,
  }));
}
