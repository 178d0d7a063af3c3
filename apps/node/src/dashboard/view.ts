import { type Signal, signal } from '@preact/signals';
import type { NodeStatus } from '../http/node-status.ts';

/** What the page shows. */
export interface View {
  readonly status: Signal<NodeStatus | undefined>;
  /** `refused`: the node wants a token, and this page has none or a wrong one. */
  readonly connection: Signal<'connecting' | 'live' | 'lost' | 'refused'>;
}

export function createView(): View {
  return { status: signal(undefined), connection: signal('connecting') };
}

export const view = createView();
