import { readFileSync } from 'node:fs'
import type { DurableImage } from '@caretaker/ports/memory-image.ts'
import { imageFile, JOURNALS } from './orders.ts'

/** One journal record, read by the judge's own eyes: only what it needs. */
export interface SeenRecord {
  readonly type: string
  readonly step?: string
  readonly before?: unknown
  readonly outcome?: string
  readonly errors?: readonly { readonly code: string }[]
}

/** What a power cut at this instant leaves. */
export interface DurableState {
  /** Text of every file by its path. */
  readonly texts: ReadonlyMap<string, string>
  /** The whole records of the one journal; undefined when there is no journal. */
  readonly records: readonly SeenRecord[] | undefined
}

export function readDurableState(folder: string): DurableState {
  const texts = new Map(textsIn('', JSON.parse(readFileSync(imageFile(folder), 'utf8'))))
  const journals = [...texts.keys()].filter((path) => path.startsWith(`${JOURNALS}/`))
  if (journals.length > 1) throw new Error(`several journals: ${journals.join(', ')}`)
  const journal = texts.get(journals[0] ?? '')
  const lines = journal?.split('\n').slice(0, -1)
  return { texts, records: lines?.map((line) => JSON.parse(line.slice(line.indexOf(' ') + 1))) }
}

function textsIn(path: string, image: DurableImage): [string, string][] {
  if (image.kind === 'file') return [[path, Buffer.from(image.data, 'base64').toString()]]
  if (image.kind === 'link') return []
  return Object.entries(image.entries).flatMap(([name, child]) => textsIn(`${path}/${name}`, child))
}
