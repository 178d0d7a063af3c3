import { fork } from 'node:child_process';
import { SecretKey } from '@mosaik/transport';
import { tlsTransport } from '@mosaik/transport/tls';
const listen = () => tlsTransport.listen({ secretKey: SecretKey.generate(), host: '127.0.0.1', alpns: ['/b'] });
if (process.argv[2] === 'child') {
  const e = await listen(); process.send?.(e.addresses[0]);
  for await (const c of e.inbound('/b')) void (async () => { const link = await c.acceptLink(); let left = 0;
    for (let fs = await link.receiveBatch(); fs.length; fs = await link.receiveBatch()) for (const f of fs) {
      if (f.length === 64) link.write(f); else if (f.length === 4) left = new DataView(f.buffer, f.byteOffset).getUint32(0); else if (--left === 0) link.write(Uint8Array.of(1)); } })().catch(() => {});
} else {
  const child = fork(process.argv[1] as string, ['child']);
  const addr = await new Promise<string>((r) => child.once('message', (m) => r(m as string)));
  const e = await listen(); const c = await e.connect(addr, '/b'); const link = await c.openLink();
  const small = new Uint8Array(64), chunk = new Uint8Array(65536);
  const pump = async (n: number) => { const k = new Uint8Array(4); new DataView(k.buffer).setUint32(0, n); link.write(k); for (let i = 0; i < n; i++) if (!link.write(chunk)) await link.drained(); await link.receive(); };
  await pump(1000);
  for (let r = 0; r < 3; r++) { const t = performance.now(); await pump(4096); console.log((4096 * 65.536 / (performance.now() - t)).toFixed(0), 'MB/s'); }
  const times: number[] = []; for (let i = 0; i < 15000; i++) { const t = performance.now(); link.write(small); await link.receive(); times.push(performance.now() - t); }
  times.splice(0, 5000); times.sort((a, b) => a - b); console.log('p50', times[5000]?.toFixed(4), 'p99', times[9900]?.toFixed(4));
  child.kill(); process.exit(0);
}
