import type { Group, KeyValueOutput, KeyValueQuery, KeyValueResult, RaftStatus } from '@mosaik/groups';
import type { Network } from '@mosaik/network';
import type { SecretKey } from '@mosaik/transport';
import type { PeerId } from '@mosaik/wire';
import type { Disk } from './disk.ts';
import type { LifeClock } from './life-clock.ts';
import type { SimCommand } from './machine.ts';

export type SimGroup = Group<SimCommand, KeyValueQuery, KeyValueResult, KeyValueOutput>;

/** One membership of one process: from a join to the crash or the leave that ended it. */
export interface Life {
  readonly name: string;
  readonly member: Member;
  readonly disk: Disk;
  readonly group: SimGroup;
  /** False once it crashed or left: what it does from then on concerns nobody. */
  alive: boolean;
  /** Index of the last command that its state machine was given. */
  applied: number;
  /** The status that the checks saw last. */
  seen: RaftStatus | undefined;
}

/** One identity at one address, through all of its crashes and restarts. */
export interface Member {
  readonly index: number;
  readonly name: string;
  readonly secretKey: SecretKey;
  readonly id: PeerId;
  readonly address: string;
  readonly voter: boolean;
  /** `busy`: on the way from one state to another. */
  state: 'down' | 'busy' | 'up';
  /** In voters mode: it lost a log that may have counted. */
  forgot: boolean;
  disk: Disk;
  clock: LifeClock | undefined;
  network: Network | undefined;
  life: Life | undefined;
  lives: number;
}
