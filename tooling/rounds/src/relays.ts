import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { Links } from './links.ts';

/**
 * Members on loopback that reach each other through relays in this process, one in front of each. The port that a
 * datagram comes from says which member sent it.
 */
export async function relayLinks(members: number): Promise<Links> {
  const cuts = new Set<string>();
  let delayMs = 0;
  const ports = await freePorts(members);
  const sockets: Socket[] = [];
  const fronts: number[] = [];

  const pass = (a: number, b: number, send: () => void) => {
    if (cuts.has(pair(a, b))) return;
    if (delayMs === 0) send();
    else setTimeout(send, delayMs);
  };

  for (let server = 0; server < members; server += 1) {
    const front = await open();
    sockets.push(front);
    fronts.push(front.address().port);
    const backs = new Map<number, Promise<Socket>>();
    front.on('message', (datagram, { port }) => {
      const client = ports.indexOf(port);
      if (client < 0) return;
      let back = backs.get(client);
      if (!back) {
        back = open().then((socket) => {
          sockets.push(socket);
          return socket.on('message', (answer) =>
            pass(server, client, () => front.send(answer, port, '127.0.0.1', () => {})),
          );
        });
        backs.set(client, back);
      }
      pass(client, server, () => {
        void back?.then((socket) => socket.send(datagram, ports[server], '127.0.0.1', () => {}));
      });
    });
  }

  return {
    kind: 'relays',
    canDelay: true,
    prefix: () => [],
    listen: (member) => `127.0.0.1:${ports[member]}`,
    address: (member) => `127.0.0.1:${fronts[member]}`,
    async cut(a, b) {
      cuts.add(pair(a, b));
    },
    async heal() {
      cuts.clear();
      delayMs = 0;
    },
    async delay(ms) {
      delayMs = ms;
    },
    async close() {
      for (const socket of sockets) socket.close();
    },
  };
}

function pair(a: number, b: number): string {
  return a < b ? `${a}-${b}` : `${b}-${a}`;
}

async function open(): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
  socket.on('error', () => {});
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}

/** Ports that nobody has now; members bind them again and again, so they have to be known before. */
async function freePorts(count: number): Promise<number[]> {
  const sockets = await Promise.all(Array.from({ length: count }, open));
  const ports = sockets.map((socket) => socket.address().port);
  for (const socket of sockets) socket.close();
  return ports;
}
