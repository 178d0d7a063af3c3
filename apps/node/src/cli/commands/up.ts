import { type Command, Option } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { DEFAULT_HTTP, DEFAULT_LISTEN, LOG_LEVELS, PREFERENCES, TRANSPORTS } from '../defaults.ts';
import { collect } from '../repeated-options.ts';
import type { UpFlags } from '../settings.ts';

export function addUpCommand(program: Command, context: CommandContext): void {
  program
    .command('up')
    .description('run a node: join the group of a key, and serve HTTP')
    .option('--network <name>', 'the network that this node belongs to (MOSAIK_NETWORK)')
    .option('--key-file <file>', 'the group key (MOSAIK_KEY_FILE, or the key itself in MOSAIK_GROUP_KEY)')
    .option(
      '--transport <kind>',
      `how nodes talk, the same on all: ${TRANSPORTS.join(', ')} (MOSAIK_TRANSPORT; default quic)`,
    )
    .option(
      '--listen <host:port>',
      `where to bind UDP, or TCP for tls (MOSAIK_LISTEN; default ${DEFAULT_LISTEN}, any free port)`,
    )
    .option(
      '--advertise <host:port>',
      'address to tell others instead; repeatable (MOSAIK_ADVERTISE)',
      collect,
    )
    .option(
      '--bootstrap <address>',
      'a first peer, as host:port or PEER@host:port; repeatable (MOSAIK_BOOTSTRAP)',
      collect,
    )
    .option('--http <host:port>', `where to serve HTTP (MOSAIK_HTTP; default ${DEFAULT_HTTP})`)
    .option('--http-token <token>', 'what clients must present; needed beyond loopback (MOSAIK_HTTP_TOKEN)')
    .option('--data-dir <dir>', 'keeps identity, peer book and log from run to run (MOSAIK_DATA_DIR)')
    .option(
      '--voters <ids>',
      'who counts, as peer ids with commas; default: follows the bonds (MOSAIK_VOTERS)',
    )
    .option(
      '--witness <id>',
      'of a group with --voters: who keeps the log and votes without having the state (MOSAIK_WITNESS)',
    )
    .option('--preference <kind>', `how much to want to lead: ${PREFERENCES.join(', ')} (MOSAIK_PREFERENCE)`)
    .option('--config <file>', 'JSON with these options in camel case (MOSAIK_CONFIG)')
    .option('--log-level <level>', `${LOG_LEVELS.join(', ')} (MOSAIK_LOG_LEVEL; default info)`)
    .option('--json', 'say on stdout that the node is ready as one line of JSON')
    .addOption(new Option('--until-stdin-ends').hideHelp())
    .action(
      async (
        flags: Omit<UpFlags, 'voters'> & { voters?: string; json?: boolean; untilStdinEnds?: boolean },
      ) => {
        const { json, untilStdinEnds, voters, ...rest } = flags;
        // Loaded now: what only asks a node, or makes a key, need not wait for all that a node is made of.
        const [{ resolveUpSettings }, { runNode }] = await Promise.all([
          import('../settings.ts'),
          import('../../node/run-node.ts'),
        ]);
        const settings = await resolveUpSettings(
          { ...rest, ...(voters === undefined ? {} : { voters: voters.split(',') }) },
          process.env,
        );
        await runNode(settings, {
          page: context.page,
          json: json ?? false,
          untilStdinEnds: untilStdinEnds ?? false,
        });
      },
    );
}
