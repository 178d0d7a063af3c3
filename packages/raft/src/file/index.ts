/**
 * `@mosaik/raft/file`: a log in files, for Node.
 *
 * FORMAT.md beside this file has the bytes, what is recovered and what is refused, and why it is not a database.
 */
export { type DirectoryLock, lockDirectory } from './directory-lock.ts';
export { type FileLogStorageOptions, fileLogStorage } from './file-log-storage.ts';
