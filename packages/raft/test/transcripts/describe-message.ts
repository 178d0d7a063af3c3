import type { LogEntry, PeerId, RaftBody, RaftEpoch, RaftMember } from '@mosaik/wire';

/** Members are n0, n1, … by the first byte of their id, which is their number plus one. */
export const nameOf = (peer: PeerId): string => `n${Number.parseInt(peer.slice(0, 2), 16) - 1}`;

export const describeEpoch = (epoch: RaftEpoch | undefined): string =>
  epoch ? `${epoch.term}/${nameOf(epoch.leader)}` : '–';

const list = (members: readonly RaftMember[]): string =>
  `{${members.map(({ peer }) => nameOf(peer)).join(' ')}}`;

export function describeEntry(entry: LogEntry): string {
  switch (entry.type) {
    case 'Opening':
      return `${entry.forced ? 'forced ' : ''}opening ${list(entry.members)}`;
    case 'View':
      return `view ${list(entry.members)}`;
    case 'Session':
      return `session of ${nameOf(entry.origin)}`;
    default:
      return `"${new TextDecoder().decode(entry.value)}"`;
  }
}

const runsOf = (runs: readonly { epoch: RaftEpoch; first: number }[]): string =>
  `[${runs.map(({ epoch, first }) => `${first}: ${describeEpoch(epoch)}`).join(', ')}]`;

/** What one message says, in one line; fields that do not matter to a reader are left out. */
export function describeBody(body: RaftBody): string {
  const { type } = body;
  switch (type) {
    case 'Status':
    case 'Claim': {
      const { term, sides, epoch, last, committed, view, lastCommand, joining, runs } = body;
      return (
        `${type} term ${term} side ${describeEpoch(sides[0])} epoch ${describeEpoch(epoch)} ` +
        `last ${last ? `${last.index} of ${describeEpoch(last.epoch)}` : '–'} committed ${committed} ` +
        `command ${lastCommand} view ${list(view)}${joining ? ' joining' : ''}${runs.length > 0 ? ` runs ${runsOf(runs)}` : ''}`
      );
    }
    case 'VoteRequest':
      return (
        `${body.pre ? 'pre-' : ''}VoteRequest ${describeEpoch(body.epoch)} last ${body.lastIndex} of term ${body.lastTerm}` +
        `${body.forced ? ` forced by ${list(body.forced.founders)}` : ''}${body.transfer ? ` transfer of ${describeEpoch(body.transfer)}` : ''}`
      );
    case 'VoteResponse':
      return `${body.pre ? 'pre-' : ''}VoteResponse ${describeEpoch(body.epoch)} ${body.verdict.type} (term ${body.term})`;
    case 'Append': {
      const entries = body.entries.flatMap((run) => run.entries.map(describeEntry));
      const after = body.prev ? `${body.prev.index} of ${describeEpoch(body.prev.epoch)}` : '0';
      return (
        `Append ${describeEpoch(body.epoch)} after ${after}: ${entries.length > 0 ? entries.join(', ') : 'nothing'}; ` +
        `commit ${body.commit}${body.round > 0 ? ` round ${body.round}` : ''}`
      );
    }
    case 'Appended': {
      const { reject } = body;
      const told = reject
        ? `rejects ${reject.prev}, has ${reject.last} ${runsOf(reject.runs)}`
        : `match ${body.match}${body.round > 0 ? ` round ${body.round}` : ''}`;
      return `Appended ${describeEpoch(body.epoch)} ${told} (term ${body.term})`;
    }
    case 'Forward':
      return `Forward ${body.first}: ${body.proposals.map((run) => run.map((value) => `"${new TextDecoder().decode(value)}"`).join('+')).join(', ')}`;
    case 'Forwarded':
      return `Forwarded ${body.first}: ${body.count} from ${body.index} of ${describeEpoch(body.epoch)}`;
    case 'Refused':
      return `Refused ${body.first}: ${body.count} ${body.reason.type}`;
    case 'ReadRequest':
      return `ReadRequest ${body.read}`;
    case 'ReadGranted':
      return `ReadGranted ${body.read} at ${body.index}`;
    case 'ReadRefused':
      return `ReadRefused ${body.read} ${body.reason.type}`;
    case 'TimeoutNow':
      return `TimeoutNow ${describeEpoch(body.epoch)} last ${body.last}, next ${describeEpoch(body.next)}${body.leaving ? ', leaving' : ''}`;
    case 'Committed':
      return `Committed ${describeEpoch(body.epoch)} ${body.commit}`;
    case 'Request':
      return `Request ${body.request} ${body.what.type}`;
    case 'RequestDone':
      return `RequestDone ${body.request}`;
    case 'RequestRefused':
      return `RequestRefused ${body.request} ${body.reason.type}`;
    case 'Retain':
      return `Retain ${body.index}`;
    case 'Yield':
      return `Yield to ${describeEpoch(body.claim)} (term ${body.term})`;
    case 'Busy':
      return `Busy for ${describeEpoch(body.claim)}`;
    case 'Yielded':
      return `Yielded ${describeEpoch(body.epoch)} to ${describeEpoch(body.claim)}, from term ${body.term} on`;
    default:
      return type;
  }
}
