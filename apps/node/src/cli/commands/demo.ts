import type { Command } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { TRANSPORTS } from '../defaults.ts';
import { formatHostPort, isLoopbackHost, parseHostPort } from '../parse-host-port.ts';
import { UsageError } from '../usage-error.ts';

const MAX_NODES = 9;

export function addDemoCommand(program: Command, context: CommandContext): void {
  program
    .command('demo')
    .description('run a group of real node processes on this machine')
    .option('--nodes <count>', `how many, 1 to ${MAX_NODES}`, '3')
    .option('--transport <kind>', `how they talk: ${TRANSPORTS.join(', ')}`, 'quic')
    .option('--once', 'write, kill the leader, write again, restart it, check that all agree; then end')
    .option('--http <host:port>', "where the first node's dashboard is; default: any free port of 127.0.0.1")
    .option('--data-dir <dir>', 'keeps identities and logs from run to run; default: a temporary directory')
    .action(
      async (flags: {
        nodes: string;
        transport: string;
        once?: boolean;
        http?: string;
        dataDir?: string;
      }) => {
        const nodes = Number(flags.nodes);
        if (!/^\d+$/.test(flags.nodes) || nodes < 1 || nodes > MAX_NODES) {
          throw UsageError.for('--nodes', flags.nodes, `expected a number from 1 to ${MAX_NODES}`);
        }
        const transport = TRANSPORTS.find((each) => each === flags.transport);
        if (!transport) {
          throw UsageError.for('--transport', flags.transport, `expected one of ${TRANSPORTS.join(', ')}`);
        }
        if (flags.once && nodes < 2) {
          throw UsageError.for('--nodes', flags.nodes, '--once kills the leader: that takes at least 2');
        }
        const http = parseHostPort(flags.http ?? '127.0.0.1:0', '--http');
        if (!isLoopbackHost(http.host)) {
          throw UsageError.for('--http', formatHostPort(http), 'the demo is for this machine only');
        }
        const { runDemo } = await import('../../demo/run-demo.ts');
        await runDemo({
          executable: context.executable,
          nodes,
          transport,
          once: flags.once ?? false,
          http: formatHostPort(http),
          dataDir: flags.dataDir,
        });
      },
    );
}
