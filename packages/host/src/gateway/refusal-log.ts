import { MINUTE_MS } from '@caretaker/kernel/time.ts'

/** Takes one line of JSON without line end. */
export type LogLine = (line: string) => void

/** Lines per minute; what comes on top is only counted, so that nobody fills the log from outside. */
const MAX_LINES_PER_MINUTE = 20

/** Says which connections were refused before anything was read from them as a request. */
export class RefusalLog {
  readonly #write: LogLine | undefined
  #sinceMs = Number.NEGATIVE_INFINITY
  #lines = 0
  #leftOut = 0

  constructor(write: LogLine | undefined) {
    this.#write = write
  }

  /** `from`: the address at the other end. */
  refused(from: string, reason: string): void {
    const nowMs = performance.now()
    if (nowMs - this.#sinceMs >= MINUTE_MS) {
      this.#sinceMs = nowMs
      this.#lines = 0
    }
    if (this.#lines >= MAX_LINES_PER_MINUTE) {
      this.#leftOut += 1
      return
    }
    this.#lines += 1
    const leftOut = this.#leftOut === 0 ? {} : { left_out_before: this.#leftOut }
    this.#leftOut = 0
    this.#write?.(
      JSON.stringify({
        time: new Date().toISOString(),
        event: 'connection_refused',
        from,
        reason,
        ...leftOut,
      }),
    )
  }
}
