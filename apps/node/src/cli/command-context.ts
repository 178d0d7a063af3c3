import type { DashboardPage } from '../dashboard/page.ts';

/** What the build gives the commands. */
export interface CommandContext {
  /** The file that is this command: what `demo` starts nodes with. */
  readonly executable: string;
  readonly page: DashboardPage;
}
