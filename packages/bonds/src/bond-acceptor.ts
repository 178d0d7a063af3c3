import type { BondAcceptorInit } from './options.ts';

export class BondAcceptor {
  readonly init: BondAcceptorInit;

  constructor(init: BondAcceptorInit) {
    this.init = init;
  }

  async close(): Promise<void> {}
}
