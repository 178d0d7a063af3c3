import type { Calls } from './calls.ts';
import type { NodeEffect } from './driver.ts';
import type { LeaderRequests } from './leader-requests.ts';
import type { MachineHost } from './machine-host.ts';
import type { Queries } from './queries.ts';
import type { StatusPublisher } from './status-publisher.ts';

type Machine = MachineHost<unknown, unknown, unknown, unknown>;

/** The parts of a node that take what its core has for them. */
export interface EffectReceivers {
  readonly host: Pick<Machine, 'advanceTo' | 'revert' | 'fetchState' | 'restore' | 'target'>;
  readonly calls: Pick<Calls<unknown>, 'handleAccepted' | 'handleRefused' | 'handleUncertain'>;
  readonly queries: Pick<Queries<unknown, unknown>, 'handleReady' | 'handleRefused'>;
  readonly requests: Pick<LeaderRequests, 'handleDone' | 'handleRefused' | 'handleUnknown'>;
  readonly publisher: Pick<StatusPublisher, 'handleRewound' | 'handleChange'>;
  readonly handleHandedOver: () => void;
}

/** Gives an effect to the part that it concerns. */
export function routeEffect(effect: NodeEffect, to: EffectReceivers): void {
  switch (effect.type) {
    case 'apply':
      to.host.advanceTo(effect.to);
      return;
    case 'revert':
      to.host.revert(effect);
      to.publisher.handleRewound(effect.to);
      return;
    case 'fetch-state':
      to.host.fetchState(effect);
      return;
    case 'restore':
      to.host.restore(effect);
      return;
    case 'accepted':
      to.calls.handleAccepted(effect.first, effect.count, effect.epoch, effect.index);
      return;
    case 'refused':
      to.calls.handleRefused(effect.first, effect.count, effect.reason);
      return;
    case 'uncertain':
      to.calls.handleUncertain(effect.first, effect.count);
      return;
    case 'read-ready':
      to.queries.handleReady(effect.first, effect.count, to.host.target);
      return;
    case 'read-refused':
      to.queries.handleRefused(effect.first, effect.count, effect.reason);
      return;
    case 'request-done':
      to.requests.handleDone(effect.request);
      return;
    case 'request-refused':
      to.requests.handleRefused(effect.request, effect.reason);
      return;
    case 'request-unknown':
      to.requests.handleUnknown(effect.request);
      return;
    case 'handed-over':
      to.handleHandedOver();
      return;
    case 'state-changed':
      to.publisher.handleChange(effect.progress);
  }
}
