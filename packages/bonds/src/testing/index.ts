/** `@mosaik/bonds/testing`: what tests of this layer, and of layers above it, share; the cores, for simulations. */

export { BondCore, type BondEffect, type BondInput } from '../core/bond.ts';
export { BondTable, type BondTableEffect, type BondTableInput } from '../core/bond-table.ts';
export { deriveEdges } from '../core/topology.ts';
export { type TestDirectories, TestDirectory, type TestDirectoryInit } from './test-directory.ts';
