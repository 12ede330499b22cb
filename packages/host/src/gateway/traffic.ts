import type { AppTraffic } from '@caretaker/appliance/gateway/gateway.ts'
import type { Ending } from './ending.ts'
import { MAX_HELD } from './limits.ts'

/** How a wait for the end of a hold ended. */
export type HoldOutcome = 'released' | 'timeout' | 'full' | 'gone'

interface Waiting {
  readonly settle: (outcome: HoldOutcome) => void
}

/**
 * What goes on with one application: open requests and streams, the hold and its queue, and counts.
 * A request is in one place only: waiting, open, or a stream.
 */
export class Traffic {
  readonly #open = new Set<object>()
  readonly #streams = new Set<object>()
  readonly #queue = new Set<Waiting>()
  readonly #answered: Record<string, number> = {}
  readonly #waitsForEnd = new Set<() => void>()
  #holdEnd: NodeJS.Timeout | undefined

  get holding(): boolean {
    return this.#holdEnd !== undefined
  }

  /** Starts a hold, or sets the limit of the present one anew. */
  hold(limitMs: number): void {
    clearTimeout(this.#holdEnd)
    this.#holdEnd = setTimeout(() => this.release(), limitMs)
    this.#holdEnd.unref()
  }

  /** Ends the hold; the waiting requests go on in the order they came. */
  release(): void {
    clearTimeout(this.#holdEnd)
    this.#holdEnd = undefined
    for (const waiting of this.#queue) waiting.settle('released')
  }

  /** Ends every wait with the service page, for when the gateway itself ends. */
  giveUp(): void {
    for (const waiting of this.#queue) waiting.settle('timeout')
  }

  /** Waits for the end of the hold, at most `maxMs`, while the client is there. */
  wait(maxMs: number, gone: Ending): Promise<HoldOutcome> {
    if (this.#queue.size >= MAX_HELD) return Promise.resolve('full')
    if (gone.isOver) return Promise.resolve('gone')
    return new Promise((resolve) => {
      const timer = setTimeout(() => waiting.settle('timeout'), maxMs)
      const waiting: Waiting = {
        settle: (outcome) => {
          clearTimeout(timer)
          this.#queue.delete(waiting)
          resolve(outcome)
        },
      }
      this.#queue.add(waiting)
      gone.whenOver(() => waiting.settle('gone'))
    })
  }

  /** A request was passed on. `request` is any object that stands for it. */
  opened(request: object): void {
    this.#open.add(request)
  }

  /** The request has become a websocket or an event stream: it lasts as long as its client likes. */
  becameStream(request: object): void {
    if (this.#open.delete(request)) this.#streams.add(request)
    this.#tellEnd()
  }

  closed(request: object): void {
    this.#open.delete(request)
    this.#streams.delete(request)
    this.#tellEnd()
  }

  answered(status: number): void {
    const name = `${Math.floor(status / 100)}xx`
    this.#answered[name] = (this.#answered[name] ?? 0) + 1
  }

  /**
   * Waits until the requests that are open now have ended, with `streams` the streams too, at most so long. Gives how
   * many of them are still open; what comes later does not count.
   */
  async drained(timeoutMs: number, streams: boolean): Promise<number> {
    const awaited = new Set([...this.#open, ...(streams ? this.#streams : [])])
    const left = (): number =>
      [...awaited].filter((entry) => this.#open.has(entry) || (streams && this.#streams.has(entry))).length
    if (left() > 0) {
      await new Promise<void>((resolve) => {
        const look = (): void => {
          if (left() === 0) done()
        }
        const done = (): void => {
          clearTimeout(timer)
          this.#waitsForEnd.delete(look)
          resolve()
        }
        const timer = setTimeout(done, timeoutMs)
        this.#waitsForEnd.add(look)
      })
    }
    return left()
  }

  counts(): Omit<AppTraffic, 'app'> {
    return {
      open: this.#open.size,
      streams: this.#streams.size,
      held: this.#queue.size,
      holding: this.holding,
      answered: { ...this.#answered },
    }
  }

  #tellEnd(): void {
    for (const look of this.#waitsForEnd) look()
  }
}
