/** `@mosaik/bonds/testing`: what tests of this layer, and of layers above it, share. */
export { type TestDirectories, TestDirectory, type TestDirectoryInit } from './test-directory.ts';
