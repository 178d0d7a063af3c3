import { library } from '@mosaik/tooling-config/tsup';

export default library(['index', 'runtime/index', 'testing/index'], { platform: 'neutral' });
