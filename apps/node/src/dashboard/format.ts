/** Enough of an id to tell members of one group apart. */
export function shortId(id: string): string {
  return id.slice(0, 8);
}

export function formatRtt(rttMs: number | null): string {
  if (rttMs === null) return '–';
  return rttMs < 10 ? `${rttMs.toFixed(2)} ms` : `${Math.round(rttMs)} ms`;
}

export function formatDuration(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}
