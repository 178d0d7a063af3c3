/** An invariant that did not hold, with the state that shows it. */
export class Violation extends Error {
  override readonly name = 'Violation';
  readonly invariant: string;

  constructor(invariant: string, state: string) {
    super(`${invariant}: ${state}`);
    this.invariant = invariant;
  }
}
