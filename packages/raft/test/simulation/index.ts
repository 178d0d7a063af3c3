/** The simulation of raft cores, for the simulation of whole stacks: never part of what is published. */
export { Checker, InvariantViolation } from './checker.ts';
export { Cluster, type ClusterInit } from './cluster.ts';
export type { Network } from './network.ts';
export { runScenario, type ScenarioInit, type ScenarioResult } from './scenario.ts';
export type { SimNode } from './sim-node.ts';
