import type { PeerId } from '@mosaik/wire';
import { type Watch, WatchCell } from '@mosaik/wire/runtime';
import { Bonds } from './bonds.ts';
import type { BondManagerInit } from './options.ts';

export class BondManager {
  readonly bonds: Watch<Bonds> = new WatchCell(Bonds.empty);
  readonly init: BondManagerInit;

  constructor(init: BondManagerInit) {
    this.init = init;
  }

  send(_peer: PeerId, _message: Uint8Array, _lane: 'control' | 'bulk'): boolean {
    return false;
  }

  recheckAdmissions(): void {}

  async close(_options: { departing?: boolean } = {}): Promise<void> {}
}
