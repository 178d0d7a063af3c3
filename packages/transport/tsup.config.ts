import { library } from '@mosaik/tooling-config/tsup';

export default library(['index', 'quic/index', 'tls/index', 'memory/index', 'testing/index']);
