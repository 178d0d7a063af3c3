import type { Clock, Timer } from '@mosaik/wire/runtime';
import type { GivenUp, Reverted } from './reverted.ts';
import { type CommandName, describeName } from './sessions/command-name.ts';
import type { SessionTable } from './sessions/session-table.ts';

/** A report waits no longer than this for its member to catch up. */
const MAX_WAIT_MS = 60_000;

export interface RevertReportsInit<C> {
  readonly clock: Clock;
  readonly tell: (reverted: Reverted<C>) => void;
  /** `isLate` became true: not to be waited for any longer. */
  readonly handleLate: () => void;
}

/** What happened, before it is known what of it is lost. */
export interface Revert<C> extends Omit<Reverted<C>, 'commands' | 'compared'> {
  /** The log was taken back to here: up to here it holds nothing of what came instead. */
  readonly common: number;
  readonly given: readonly GivenUp<C>[];
}

interface Report<C> {
  readonly revert: Revert<C>;
  /** Not known to be in the log that is followed now. */
  readonly missing: Set<Missing<C>>;
}

interface Missing<C> {
  readonly report: Report<C>;
  readonly given: GivenUp<C>;
  /** False when it may be there, and nothing says so. */
  certain: boolean;
}

/**
 * Reverts that nobody was told of yet: they wait until this member has what the other side has, because a command that
 * its caller sent again over there is not lost.
 */
export class RevertReports<C> {
  readonly #init: RevertReportsInit<C>;
  #reports: Report<C>[] = [];
  /** By name: of several reports the newest has it, for the log of the one before had it again. */
  readonly #missing = new Map<string, Missing<C>>();
  #timer: Timer | undefined;
  #isLate = false;

  constructor(init: RevertReportsInit<C>) {
    this.#init = init;
  }

  get pending(): boolean {
    return this.#reports.length > 0;
  }

  /** They have waited for long enough. */
  get isLate(): boolean {
    return this.#isLate;
  }

  add(revert: Revert<C>): void {
    const report: Report<C> = { revert, missing: new Set() };
    this.#reports.push(report);
    for (const given of revert.given) {
      const { name } = given;
      const missing = { report, given, certain: name !== undefined };
      report.missing.add(missing);
      if (!name) continue;
      this.handleApplied(name);
      this.#missing.set(describeName(name), missing);
    }
    this.#timer ??= this.#init.clock.schedule(MAX_WAIT_MS, () => {
      this.#isLate = true;
      this.#init.handleLate();
    });
  }

  /** A command of the log that is followed now was applied. */
  handleApplied(name: CommandName): void {
    const text = describeName(name);
    const missing = this.#missing.get(text);
    if (!missing) return;
    this.#missing.delete(text);
    missing.report.missing.delete(missing);
  }

  /** The state was replaced by what was at `index`; what the log had up to there is known from `sessions` only. */
  handleRestored(sessions: SessionTable, index: number): void {
    for (const missing of this.#unapplied(sessions)) {
      if (index > missing.report.revert.common) missing.certain = false;
    }
  }

  /** This member has caught up, with these sessions; or will not. */
  tell(sessions: SessionTable | undefined): void {
    if (sessions) this.#unapplied(sessions);
    const reports = this.#reports;
    this.#reports = [];
    this.#missing.clear();
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#isLate = false;
    for (const { revert, missing } of reports) {
      const { common: _, given: __, ...told } = revert;
      if (missing.size === 0 && revert.complete) continue;
      const all = [...missing];
      this.#init.tell({
        ...told,
        commands: all.flatMap(({ given }) => given.commands),
        compared: sessions !== undefined && all.every(({ certain }) => certain),
      });
    }
  }

  /** Leaves out what the table has; gives what it cannot tell. */
  #unapplied(sessions: SessionTable): Missing<C>[] {
    const unknown: Missing<C>[] = [];
    for (const missing of [...this.#missing.values()]) {
      const { name } = missing.given;
      const applied = name && sessions.wasApplied(name);
      if (name && applied) this.handleApplied(name);
      else if (applied === undefined) unknown.push(missing);
    }
    return unknown;
  }
}
