/** Who may import what: a package's name, or a scheme such as `node:` for everything below it. */
export interface Layer {
  readonly imports: readonly string[];
  /** More for the modules below a directory of the package, such as an adapter's. */
  readonly below?: Readonly<Record<string, readonly string[]>>;
  /** Directories that a bundler inlines: users never install what those import. */
  readonly bundled?: readonly string[];
}

const wire = '@mosaik/wire';
const handshake = '@mosaik/handshake';
const transport = '@mosaik/transport';
const raft = '@mosaik/raft';
const bonds = '@mosaik/bonds';
const discovery = '@mosaik/discovery';
const groups = '@mosaik/groups';
const network = '@mosaik/network';
const hashes = '@noble/hashes';

/** The stack of packages, lowest first. `tooling/*` stands beside it and may import any of them. */
export const layers: Readonly<Record<string, Layer>> = {
  [wire]: { imports: [hashes, '@bufbuild/protobuf'] },
  [handshake]: { imports: [wire, hashes], below: { 'src/jwt': ['jose'] } },
  [transport]: { imports: [wire, hashes, 'node:'], below: { 'src/quic': ['@matrixai/quic'] } },
  [raft]: { imports: [wire], below: { 'src/file': ['node:'] } },
  [bonds]: { imports: [handshake, transport, wire] },
  [discovery]: { imports: [transport, wire, 'node:'] },
  [groups]: { imports: [bonds, raft, handshake, transport, wire] },
  [network]: { imports: [groups, discovery, bonds, raft, handshake, transport, wire, 'node:'] },
  '@mosaik/node': {
    imports: [network, groups, discovery, bonds, raft, handshake, transport, wire, 'node:', 'virtual:', '*'],
    bundled: ['src/dashboard'],
  },
};

/** What modules below `src/testing` may import in addition: they run inside of somebody's tests. */
export const testingImports: readonly string[] = ['vitest', 'fast-check', 'node:'];
