import { describe, expect, it } from 'vitest';
import { registerGroupGauges } from '../src/node/group-gauges.ts';
import { PrometheusMetrics } from '../src/node/prometheus-metrics.ts';
import { FakeNode } from './fake-node.ts';

describe('metrics for Prometheus', () => {
  it('have underscores for dots, and counters that end in _total', async () => {
    const metrics = new PrometheusMetrics({ process: false });
    metrics.count('mosaik.bonds.formed', { group: 'g' });
    metrics.count('mosaik.bonds.formed', { group: 'g' }, 2);
    metrics.gauge('mosaik.bonds.active', 5);
    metrics.observe('mosaik.commit_ms', 3);
    const text = await metrics.registry.metrics();
    expect(text).toContain('mosaik_bonds_formed_total{group="g"} 3');
    expect(text).toContain('mosaik_bonds_active 5');
    expect(text).toContain('mosaik_commit_ms_bucket{le="5"} 1');
    expect(text).toContain('mosaik_commit_ms_bucket{le="2.5"} 0');
  });

  it('never throw: other labels, another kind, an impossible value, a name that is taken', async () => {
    const metrics = new PrometheusMetrics({ process: true });
    metrics.count('x', { a: '1' });
    metrics.count('x', { b: '2' });
    metrics.count('x');
    metrics.count('x', { a: '1' }, -1);
    metrics.gauge('x_total', 1);
    metrics.observe('x.total', 1);
    metrics.gauge('process_cpu_seconds_total', 1);
    metrics.gauge('y', Number.NaN);
    const text = await metrics.registry.metrics();
    expect(text).toContain('x_total{a="1"} 1');
    expect(text).toContain('x_total{a=""} 2');
  });

  it('are bounded in the number of their series', async () => {
    const metrics = new PrometheusMetrics({ process: false });
    for (let index = 0; index < 1100; index += 1) metrics.gauge('g', index, { peer: String(index) });
    metrics.gauge('g', 7, { peer: '0' });
    const text = await metrics.registry.metrics();
    expect(text.match(/^g\{/gm)).toHaveLength(1000);
    expect(text).toContain('g{peer="0"} 7');
  });

  it('say of the group what its status says when they are collected', async () => {
    const metrics = new PrometheusMetrics({ process: false });
    const node = new FakeNode();
    registerGroupGauges(metrics.registry, () => node.status());
    expect(await metrics.registry.metrics()).toContain('mosaik_group_role{role="follower"} 1');
    node.change({ role: 'leader', term: 8, leader: null });
    const text = await metrics.registry.metrics();
    expect(text).toContain('mosaik_group_role{role="leader"} 1');
    expect(text).toContain('mosaik_group_role{role="follower"} 0');
    for (const line of ['term 8', 'commit_index 41', 'applied_index 40', 'bonds 2', 'leader_known 0']) {
      expect(text).toContain(`mosaik_group_${line}`);
    }
  });
});
