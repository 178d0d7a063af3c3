/** Seeds that once found something, each with a word on what it was. They run with every `pnpm test`. */
export const pastMeshFailures: readonly { readonly seed: number; readonly found: string }[] = [
  { seed: 28, found: 'of two voters one was removed in its own log only: neither could lead' },
  { seed: 2_001_310, found: 'an append stayed unacknowledged for ever, because heartbeats were answered' },
  {
    seed: 3_000_350,
    found:
      'a voter was removed on the word of another one, which had lost its log since: no majority was left',
  },
  {
    seed: 3_000_351,
    found: 'a read went by the larger set while a follower still committed by the smaller one',
  },
  {
    seed: 7_000_554,
    found: 'what was to be applied was gone with the log that a snapshot replaced in the same turn',
  },
  {
    seed: 8_200_595,
    found:
      'the check took who installed what a follower knew first for one that counts (a fault of the check)',
  },
  {
    seed: 6_013_367,
    found:
      'the check did not count what a member had held before it moved to another side (a fault of the check)',
  },
  {
    seed: 6_025_909,
    found: 'a machine was given a snapshot that the same turn had already given up again',
  },
  {
    seed: 6_025_927,
    found: 'a store failed before what its turn gave up was told (a fault of the simulation)',
  },
  {
    seed: 6_069_315,
    found: 'the check took entries for others when one turn wrote twice (a fault of the check)',
  },
  {
    seed: 6_183_355,
    found:
      'what came on a connection that another had taken the place of looked like acknowledged entries were lost',
  },
  {
    seed: 6_185_147,
    found: 'a member waited for ever for parts of a snapshot that it had asked for under an older plan',
  },
  {
    seed: 9_004_049,
    found:
      'a bond that formed after an epoch was forced, in the same turn, was held against it (a fault of the check)',
  },
  {
    seed: 41_000_122,
    found:
      'a snapshot told of a commit that its leader did not know yet, as if whoever installed it had counted (a fault of the check)',
  },
];
