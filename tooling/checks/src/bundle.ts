import { build } from 'esbuild';

/**
 * Bundles modules for no platform in particular: nothing of Node can be resolved, nothing is left outside.
 *
 * @throws when an import cannot be resolved, naming it.
 */
export async function bundleNeutral(...entries: string[]): Promise<{ code: string; inputs: string[] }> {
  const result = await build({
    entryPoints: entries,
    outdir: '/bundle',
    bundle: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'neutral',
    target: 'es2022',
    mainFields: ['module', 'main'],
    conditions: ['@mosaik/source', 'import'],
    logLevel: 'silent',
  });
  return {
    code: result.outputFiles.map(({ text }) => text).join('\n'),
    inputs: Object.keys(result.metafile.inputs),
  };
}
