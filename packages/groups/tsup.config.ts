import { library } from '@mosaik/tooling-config/tsup';

export default library(['index']);
