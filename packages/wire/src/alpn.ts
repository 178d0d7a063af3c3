/** The protocols that a connection can speak, as negotiated by TLS ALPN. */
export const Alpn = {
  groups: '/mosaik/groups/1',
  discoveryAnnounce: '/mosaik/discovery/announce/1.0',
  discoverySync: '/mosaik/discovery/sync/1.0',
  discoveryPing: '/mosaik/discovery/ping/1.0',
} as const;
