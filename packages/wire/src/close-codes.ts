/** Application close codes of a connection: why it ended, told to the other side. */
export const CloseCode = {
  /** Another protocol was expected. */
  InvalidAlpn: 100,
  /** The peer is on another network. */
  DifferentNetwork: 101,
  /** The operation was cancelled. */
  Cancelled: 102,
  /** Closed without a reason. */
  UnexpectedClose: 103,
  /** The protocol ran to completion. */
  Success: 200,
  /** The node is shutting down. */
  GracefulShutdown: 204,
  /** Malformed, oversized or out-of-order message. */
  ProtocolViolation: 400,
  /** Not in the acceptor's catalog: sync catalogs, then retry. Also: the peer is not the one that was expected. */
  UnknownPeer: 401,
  /** Error while receiving or decoding the handshake. */
  InvalidHandshake: 30_400,
  /** No valid ticket. */
  NotAllowed: 30_403,
  /** The group id is not known to the acceptor. */
  GroupNotFound: 30_404,
  /** The proof of knowledge is wrong. */
  InvalidProof: 30_405,
  /** No answer in time. */
  Timeout: 30_408,
  /** A bond between these peers exists. */
  AlreadyBonded: 30_429,
} as const;

export type CloseCodeName = keyof typeof CloseCode;

const names = new Map<number, string>(Object.entries(CloseCode).map(([name, code]) => [code, name]));

/** `"InvalidProof (30405)"`, or the bare number when the code is nobody's. */
export function describeCloseCode(code: number): string {
  const name = names.get(code);
  return name ? `${name} (${code})` : String(code);
}
