/** What was fetched and handed to the machine, which may be slower than the network: fetching waits for it. */
export class Unapplied {
  readonly #pieces: { readonly to: number; readonly bytes: number }[] = [];
  bytes = 0;

  /** Entries up to `to`, after those before. */
  add(to: number, bytes: number): void {
    this.#pieces.push({ to, bytes });
    this.bytes += bytes;
  }

  handleApplied(to: number): void {
    let count = 0;
    for (const piece of this.#pieces) {
      if (piece.to > to) break;
      this.bytes -= piece.bytes;
      count += 1;
    }
    this.#pieces.splice(0, count);
  }
}
