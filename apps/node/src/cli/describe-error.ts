const SYSTEM_ERRORS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EADDRINUSE: 'the address is in use',
  EADDRNOTAVAIL: 'this machine has no such address',
  ECONNREFUSED: 'nothing listens there',
  EEXIST: 'exists already',
  EISDIR: 'is a directory',
  ENOENT: 'no such file or directory',
  ENOTDIR: 'a part of the path is not a directory',
  ENOTFOUND: 'no such host',
  EPERM: 'not permitted',
  EROFS: 'the file system is read-only',
};

/** The code of a system error, or of whatever caused it. */
export function systemErrorCode(error: unknown): string | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth += 1) {
    if ('code' in at && typeof at.code === 'string') return at.code;
  }
  return undefined;
}

/** One line on what went wrong, for people. */
export function describeError(error: unknown): string {
  const code = systemErrorCode(error);
  const known = code === undefined ? undefined : SYSTEM_ERRORS[code];
  if (known) return known;
  if (!(error instanceof Error)) return oneLine(String(error));
  // `fetch` says why only in the cause.
  const { message, cause } = error;
  return oneLine(
    message === 'fetch failed' && cause instanceof Error ? `${message}: ${cause.message}` : message,
  );
}

export function oneLine(text: string): string {
  return text.replace(/\s*[\r\n]+\s*/g, '; ').trim();
}
