import { StringDecoder } from 'node:string_decoder'

/** Keeps the last bytes of an output and hands on its lines. */
export class OutputTail {
  readonly #limitBytes: number
  readonly #onLine: ((line: string) => void) | undefined
  readonly #decoder = new StringDecoder('utf8')
  #chunks: Buffer[] = []
  #sizeBytes = 0
  #line = ''

  constructor(limitBytes: number, onLine?: (line: string) => void) {
    this.#limitBytes = limitBytes
    this.#onLine = onLine
  }

  add(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#sizeBytes += chunk.length
    while (this.#sizeBytes - (this.#chunks[0]?.length ?? 0) >= this.#limitBytes) {
      this.#sizeBytes -= this.#chunks.shift()?.length ?? 0
    }
    if (this.#onLine) this.#addLines(this.#decoder.write(chunk))
  }

  /** The kept part; hands on a last line without line end. To be called once. */
  end(): string {
    if (this.#onLine) {
      this.#addLines(this.#decoder.end())
      if (this.#line !== '') this.#onLine(this.#line)
    }
    const kept = Buffer.concat(this.#chunks)
    let start = Math.max(0, kept.length - this.#limitBytes)
    // Not in the middle of a character: 10xxxxxx continues one.
    if (start > 0) while (((kept[start] ?? 0) & 0b1100_0000) === 0b1000_0000) start++
    return kept.toString('utf8', start)
  }

  #addLines(text: string): void {
    const lines = (this.#line + text).split('\n')
    // A line without end is not kept beyond the limit.
    this.#line = (lines.pop() ?? '').slice(-this.#limitBytes)
    for (const line of lines) this.#onLine?.(line.endsWith('\r') ? line.slice(0, -1) : line)
  }
}
