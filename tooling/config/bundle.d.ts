import type { BuildOptions, BuildResult } from 'esbuild';

export function bundle(options: BuildOptions): Promise<BuildResult>;
export function ownDirectory(top: string): string;
