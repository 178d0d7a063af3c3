import type { NodeStatus } from '../http/node-status.ts';
import { formatDuration, formatRtt, shortId } from './format.ts';
import { listMembers } from './list-members.ts';
import { Mesh } from './mesh.tsx';
import type { View } from './view.ts';

const CONNECTION_TEXT = {
  connecting: 'Connecting…',
  live: '',
  lost: 'Connection lost. What you see is the last that this node said; trying again…',
  refused: 'This node wants its token: open this page as /#token=… with the token of --http-token.',
} as const;

export function Dashboard({ view }: { view: View }) {
  const status = view.status.value;
  const connection = view.connection.value;
  return (
    <main class={connection === 'live' ? '' : 'stale'}>
      {connection !== 'live' && (
        <p class={`banner ${connection}`} role="status">
          {CONNECTION_TEXT[connection]}
        </p>
      )}
      {status && <Status status={status} />}
    </main>
  );
}

function Status({ status }: { status: NodeStatus }) {
  const members = listMembers(status);
  return (
    <>
      <header>
        <h1>
          mosaik <span class="name">{status.network}</span>
        </h1>
        <Health status={status} />
      </header>
      {status.problem && <p class="banner lost">{status.problem}</p>}
      <section class="facts" aria-label="State of the group">
        <Fact name="Leader" value={status.leader === null ? 'none' : shortId(status.leader)} />
        <Fact name="This node" value={status.role} />
        <Fact name="Term" value={status.term} />
        <Fact name="Committed" value={status.committed} />
        <Fact name="Applied" value={status.applied} />
        <Fact name="Reached / needed" value={`${status.quorum.have} / ${status.quorum.need}`} />
      </section>
      <div class="columns">
        <Mesh status={status} />
        <section>
          <h2>Members</h2>
          <table>
            <thead>
              <tr>
                <th>Peer</th>
                <th>Role</th>
                <th class="number">Round trip</th>
                <th class="number">Bonded for</th>
              </tr>
            </thead>
            <tbody>
              {members.map(({ peerId, isLeader, isSelf, counts, bond }) => (
                <tr key={peerId} class={bond || isSelf ? '' : 'absent'}>
                  <td title={peerId}>
                    <code>{shortId(peerId)}</code>
                    {isSelf && <span class="tag">this node</span>}
                  </td>
                  <td>{isLeader ? <strong>leader</strong> : counts ? 'follower' : 'not counted'}</td>
                  <td class="number">{isSelf ? '' : bond ? formatRtt(bond.rttMs) : 'no bond'}</td>
                  <td class="number">{bond ? formatDuration(bond.ageMs) : ''}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      </div>
      <footer>
        <span title={status.peerId}>
          Peer <code>{shortId(status.peerId)}</code>
        </span>
        <span>{status.addresses.join(', ')}</span>
        <span title={status.groupId}>
          Group <code>{shortId(status.groupId)}</code>
        </span>
        <span>Quorum {status.quorum.mode}</span>
        <span>Up {formatDuration(status.uptimeMs)}</span>
        <span>mosaik {status.version}</span>
      </footer>
    </>
  );
}

function Health({ status }: { status: NodeStatus }) {
  if (status.health !== 'running') return <span class="health bad">{status.health}</span>;
  return status.online ? <span class="health good">online</span> : <span class="health bad">offline</span>;
}

function Fact({ name, value }: { name: string; value: string | number }) {
  return (
    <div class="fact">
      <span>{name}</span>
      <b>{value}</b>
    </div>
  );
}
