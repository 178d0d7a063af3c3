/** Datagrams read at once in one turn of the loop; further ones are read together at its end. */
const EAGER_DATAGRAMS = 2;

/** When a connection reads what arrives. */
export class Bursts {
  /** Datagrams that arrived in this turn, and in the one before. */
  #burst = 0;
  #lastBurst = 0;
  #readsDue = false;
  #postponed = false;

  /** When to read the datagram that arrived. `alone`, as in question and answer: the answer should leave at once too. */
  handleDatagram(): 'alone' | 'now' | 'later' {
    this.#burst += 1;
    if (this.#burst > EAGER_DATAGRAMS) {
      this.#readsDue = true;
      return 'later';
    }
    return this.#burst === 1 && this.#lastBurst <= 1 ? 'alone' : 'now';
  }

  /** What is due at the end of a turn. */
  handleTurn(): 'write' | 'read' | 'read-write' {
    this.#lastBurst = this.#burst;
    this.#burst = 0;
    const read = this.#readsDue;
    this.#readsDue = false;
    // Acknowledgements leave with what the application answers; once only, or a steady stream would wait for ever.
    this.#postponed = read && !this.#postponed;
    if (this.#postponed) return 'read';
    return read ? 'read-write' : 'write';
  }
}
