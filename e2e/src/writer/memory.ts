import { closeSync, existsSync, openSync, readSync } from 'node:fs'
import { StringDecoder } from 'node:string_decoder'

/** What the client remembers: one line of JSON each, times in ms since 1970. The only witness of the judge. */
export type Memory =
  /** The number `n` with this content is there: 200, or 409 after an attempt that got no answer. */
  | {
      readonly kind: 'number'
      readonly n: number
      readonly sha256: string
      readonly sentAt: number
      readonly at: number
      readonly known: 'answered' | 'found'
    }
  /** An entry is there, with the file of this hash if it has one. */
  | {
      readonly kind: 'entry'
      readonly id: number
      readonly name: string
      readonly sha256?: string
      readonly at: number
    }
  /** The event stream told of an entry. */
  | { readonly kind: 'event'; readonly id: number; readonly at: number }
  /** An attempt that was not acknowledged; `what` as `reset`, `refused`, `timeout`, `status 503`. */
  | { readonly kind: 'trouble'; readonly of: Request; readonly what: string; readonly at: number }
  /** Sent, and never known whether it was done: it may be there, whole, or not. */
  | { readonly kind: 'open number'; readonly n: number; readonly sha256: string; readonly at: number }
  | {
      readonly kind: 'open entry'
      readonly name: string
      readonly sha256?: string
      readonly at: number
    }
  /** An answer that must never be given. */
  | { readonly kind: 'wrong'; readonly why: string; readonly at: number }

export type Request = 'number' | 'entry' | 'upload' | 'events'

/** Gives all memories of a log at every call, and reads what has been added since the last. */
export function memoryReader(path: string): () => readonly Memory[] {
  const memories: Memory[] = []
  let text = ''
  let position = 0
  const decoder = new StringDecoder()
  const buffer = Buffer.alloc(64 * 1024)
  return () => {
    if (!existsSync(path)) return memories
    const file = openSync(path, 'r')
    try {
      for (let size: number; (size = readSync(file, buffer, 0, buffer.length, position)) > 0; ) {
        text += decoder.write(buffer.subarray(0, size))
        position += size
      }
    } finally {
      closeSync(file)
    }
    const lines = text.split('\n')
    // A line that is still being written is left for the next time.
    text = lines.pop() ?? ''
    for (const line of lines) memories.push(JSON.parse(line) as Memory)
    return memories
  }
}
