import type { NodeStatus } from '../http/node-status.ts';
import { shortId } from './format.ts';
import { listMembers } from './list-members.ts';

const SIZE = 320;
const RADIUS = 112;

/** The group as a circle of members and a line for every bond; bonds that should be there and are not are dashed. */
export function Mesh({ status }: { status: NodeStatus }) {
  const members = listMembers(status);
  const at = new Map(
    members.map(({ peerId }, index) => {
      const angle = (index / members.length) * 2 * Math.PI - Math.PI / 2;
      const radius = members.length === 1 ? 0 : RADIUS;
      const point = {
        x: round(SIZE / 2 + radius * Math.cos(angle)),
        y: round(SIZE / 2 + radius * Math.sin(angle)),
      };
      return [peerId, point] as const;
    }),
  );
  const formed = new Set(status.topology.map((peers) => [...peers].sort().join()));
  const pairs = members.flatMap((a, index) =>
    members.slice(index + 1).map((b) => [a.peerId, b.peerId] as const),
  );
  const missing = pairs.filter((pair) => !formed.has([...pair].sort().join())).length;
  const label = `${members.length} members, ${pairs.length - missing} of ${pairs.length} bonds formed`;
  return (
    <figure class="mesh">
      <svg viewBox={`0 0 ${SIZE} ${SIZE}`} role="img" aria-label={label}>
        {pairs.map(([a, b]) => {
          const [from, to] = [at.get(a), at.get(b)];
          const isFormed = formed.has([a, b].sort().join());
          return (
            <line
              key={`${a}${b}`}
              class={isFormed ? 'bond' : 'bond missing'}
              x1={from?.x}
              y1={from?.y}
              x2={to?.x}
              y2={to?.y}
            />
          );
        })}
        {members.map(({ peerId, isLeader, isSelf, bond }) => (
          <g
            key={peerId}
            class={`node${isLeader ? ' leader' : ''}${isSelf ? ' self' : bond ? '' : ' absent'}`}
          >
            <title>{peerId}</title>
            <circle cx={at.get(peerId)?.x} cy={at.get(peerId)?.y} r={isLeader ? 30 : 26} />
            <text x={at.get(peerId)?.x} y={at.get(peerId)?.y}>
              {shortId(peerId).slice(0, 6)}
            </text>
          </g>
        ))}
      </svg>
      <figcaption>{label}</figcaption>
    </figure>
  );
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
