import { library } from '@mosaik/tooling-config/tsup';

export default library(['index', 'quic/index', 'memory/index', 'testing/index']);
