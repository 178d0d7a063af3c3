/** Bytes of the connection ids that this endpoint chooses. */
export const OWN_ID_BYTES = 8;
const MAX_ID_BYTES = 20;

/** The parts of a long header that routing needs (RFC 9000 §17.2); views of the datagram. */
export interface LongHeader {
  readonly type: 'initial' | '0-rtt' | 'handshake' | 'retry';
  readonly version: number;
  readonly dcid: Buffer;
  readonly scid: Buffer;
  /** Of an Initial. */
  readonly token: Buffer;
}

const TYPES = ['initial', '0-rtt', 'handshake', 'retry'] as const;
const NO_TOKEN = Buffer.alloc(0);

export function isLongHeader(datagram: Buffer): boolean {
  return ((datagram[0] ?? 0) & 0x80) !== 0;
}

/** A key for a connection id, in a table. */
export function idKey(id: Buffer): string {
  return id.toString('latin1');
}

/** The key of a short header's destination id (RFC 9000 §17.3): its length is not in the packet, it is ours. */
export function shortHeaderKey(datagram: Buffer): string {
  return datagram.toString('latin1', 1, 1 + OWN_ID_BYTES);
}

/** Undefined for anything malformed. Ids of versions that we do not speak may be longer; they are refused too. */
export function parseLongHeader(datagram: Buffer): LongHeader | undefined {
  if (datagram.length < 7) return undefined;
  const version = datagram.readUInt32BE(1);
  const dcidBytes = datagram[5] ?? 0;
  const scidAt = 6 + dcidBytes;
  const scidBytes = datagram[scidAt] ?? 0;
  const end = scidAt + 1 + scidBytes;
  if (dcidBytes > MAX_ID_BYTES || scidBytes > MAX_ID_BYTES || end > datagram.length) return undefined;
  const type = TYPES[((datagram[0] ?? 0) >> 4) & 3] ?? 'retry';
  const token = type === 'initial' && version === 1 ? parseToken(datagram, end) : NO_TOKEN;
  if (!token) return undefined;
  return {
    type,
    version,
    dcid: datagram.subarray(6, scidAt),
    scid: datagram.subarray(scidAt + 1, end),
    token,
  };
}

/** A variable-length integer (RFC 9000 §16) and that many bytes; one of 4 or 8 bytes never fits a token. */
function parseToken(datagram: Buffer, at: number): Buffer | undefined {
  const first = datagram[at];
  if (first === undefined || first >= 0x80) return undefined;
  const wide = first >= 0x40;
  if (wide && at + 1 >= datagram.length) return undefined;
  const length = wide ? datagram.readUInt16BE(at) & 0x3fff : first;
  const from = at + (wide ? 2 : 1);
  return from + length > datagram.length ? undefined : datagram.subarray(from, from + length);
}
