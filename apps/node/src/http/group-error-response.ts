import { GroupError, type GroupErrorCode } from '@mosaik/groups';
import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { refuse } from './refuse.ts';

/** 503: not now, try again; 504: waited in vain. Only `unknown-outcome` leaves open whether a write was committed. */
const STATUS: Readonly<Record<GroupErrorCode, ContentfulStatusCode>> = {
  offline: 503,
  'no-quorum': 503,
  overloaded: 503,
  terminated: 503,
  'unknown-outcome': 504,
  timeout: 504,
  'too-large': 413,
  encoding: 400,
  'no-commands': 400,
  'change-in-progress': 409,
  'not-a-voter': 409,
  'key-reused': 422,
  'apply-failed': 500,
};
const RETRY_AFTER_SECONDS = '1';

/** The answer to a call on the group that failed; undefined for errors that are not the group's. */
export function groupErrorResponse(context: Context, error: unknown): Response | undefined {
  if (!(error instanceof GroupError)) return undefined;
  const status = STATUS[error.code];
  if (status === 503) context.header('Retry-After', RETRY_AFTER_SECONDS);
  const message =
    error.code === 'unknown-outcome' ? `${error.message}; the write may still be committed` : error.message;
  return refuse(context, status, error.code, message);
}
