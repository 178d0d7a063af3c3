import { library } from '@mosaik/tooling-config/tsup';

export default library(['index', 'jwt/index', 'testing/index'], { platform: 'neutral' });
