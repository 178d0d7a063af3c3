import { render } from 'preact';
import { Dashboard } from './dashboard.tsx';
import { followStatus } from './follow-status.ts';
import { view } from './view.ts';

const root = document.getElementById('app');
if (root) render(<Dashboard view={view} />, root);
void followStatus(view);
