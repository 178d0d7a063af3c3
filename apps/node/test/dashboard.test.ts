import { h } from 'preact';
import { render } from 'preact-render-to-string';
import { describe, expect, it } from 'vitest';
import { Dashboard } from '../src/dashboard/dashboard.tsx';
import { formatDuration, formatRtt } from '../src/dashboard/format.ts';
import { listMembers } from '../src/dashboard/list-members.ts';
import { createDashboardPage } from '../src/dashboard/page.ts';
import { createView } from '../src/dashboard/view.ts';
import { ALICE, BOB, CAROL, STATUS } from './fake-node.ts';

describe('the dashboard', () => {
  it('shows members, leader, term, commit index, bonds and the mesh', () => {
    const view = createView();
    view.status.value = STATUS;
    view.connection.value = 'live';
    const html = render(h(Dashboard, { view }));
    for (const peer of [ALICE, BOB, CAROL]) expect(html).toContain(peer.slice(0, 8));
    expect(html).toContain('<strong>leader</strong>');
    expect(html).toContain('<span>Term</span><b>7</b>');
    expect(html).toContain('<span>Committed</span><b>41</b>');
    expect(html).toContain('0.25 ms');
    expect(html).toContain('3 members, 2 of 3 bonds formed');
    expect(html.match(/<line[^>]*class="bond missing"/g)).toHaveLength(1);
    expect(html.match(/<line[^>]*class="bond"/g)).toHaveLength(2);
    expect(html).not.toContain('banner');
  });

  it('says that the connection is lost, and keeps what it knew', () => {
    const view = createView();
    view.status.value = STATUS;
    view.connection.value = 'lost';
    const html = render(h(Dashboard, { view }));
    expect(html).toContain('Connection lost');
    expect(html).toContain('class="stale"');
    expect(html).toContain(BOB.slice(0, 8));
  });

  it('says that there is no leader, that the node is offline, and what its problem is', () => {
    const view = createView();
    view.status.value = { ...STATUS, leader: null, online: false, problem: 'met another history' };
    view.connection.value = 'live';
    const html = render(h(Dashboard, { view }));
    expect(html).toContain('<span>Leader</span><b>none</b>');
    expect(html).toContain('offline');
    expect(html).toContain('met another history');
  });

  it('shows what a name contains instead of running it', () => {
    const view = createView();
    view.status.value = { ...STATUS, network: '<img src=x onerror=alert(1)>' };
    expect(render(h(Dashboard, { view }))).not.toContain('<img');
  });

  it('draws a node alone in the middle', () => {
    const view = createView();
    view.status.value = { ...STATUS, members: [ALICE], leader: ALICE, bonds: [], topology: [] };
    const html = render(h(Dashboard, { view }));
    expect(html).toContain('1 members, 0 of 0 bonds formed');
    expect(html).toContain('cx="160" cy="160"');
  });
});

describe('the rows of the dashboard', () => {
  it('are everyone that the node knows of, once, by id', () => {
    const rows = listMembers({ ...STATUS, members: [BOB], bonds: [], topology: [[CAROL, BOB]] });
    expect(rows.map(({ peerId }) => peerId)).toEqual([ALICE, BOB, CAROL]);
    expect(rows.map(({ counts }) => counts)).toEqual([false, true, false]);
  });
});

describe('the page', () => {
  it('can not be ended early by its own script', () => {
    const { html } = createDashboardPage({ script: 'x = "</script><b>"', style: '' });
    expect(html.match(/<\/script>/g)).toHaveLength(1);
  });
});

describe('formats', () => {
  it('are short', () => {
    expect([formatRtt(null), formatRtt(0.256), formatRtt(31.4)]).toEqual(['–', '0.26 ms', '31 ms']);
    expect([59_999, 61_000, 3_660_000, 200_000_000].map(formatDuration)).toEqual([
      '59 s',
      '1 min 1 s',
      '1 h 1 min',
      '2 d 7 h',
    ]);
  });
});
