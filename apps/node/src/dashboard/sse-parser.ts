export interface SseEvent {
  readonly type: string;
  readonly data: string;
}

/** Reads the events that our server sends (WHATWG HTML §9.2.6, line ends `\n` only); comments are skipped. */
export class SseParser {
  #rest = '';

  push(text: string): SseEvent[] {
    const blocks = (this.#rest + text).split('\n\n');
    this.#rest = blocks.pop() ?? '';
    return blocks.flatMap((block) => {
      let type = 'message';
      const data: string[] = [];
      for (const line of block.split('\n')) {
        if (line.startsWith('event: ')) type = line.slice('event: '.length);
        else if (line.startsWith('data: ')) data.push(line.slice('data: '.length));
      }
      return data.length > 0 ? [{ type, data: data.join('\n') }] : [];
    });
  }
}
