/** What the client is told on its command line, as JSON. */
export interface ClientSettings {
  readonly port: number
  /** File of the authority's certificate. */
  readonly ca: string
  /** File that it writes its memories to. */
  readonly log: string
  /** How long each of its uploads takes; one is always under way for each. */
  readonly uploadsMs: readonly number[]
  /** Whether the event stream is read as well. */
  readonly readsEvents: boolean
}

/** The message that makes it finish what it has begun and end. */
export const FINISH = 'finish'
