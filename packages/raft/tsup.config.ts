import { library } from '@mosaik/tooling-config/tsup';

// One build, so that all entries share their classes. Only `file` may import from Node: tooling/checks sees to it.
export default library(['index', 'file/index', 'testing/index'], {
  platform: 'neutral',
  external: [/^node:/],
});
