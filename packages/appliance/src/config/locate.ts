import { isMap, isScalar, type Pair, parseDocument, type Scalar } from 'yaml'

/** Where `caretaker.applications` stands in a text. Offsets count characters from 0; `indent` is spaces. */
export type MappingPlace =
  | { readonly kind: 'absent'; readonly indent: string; readonly insertAt: number }
  | {
      readonly kind: 'empty'
      readonly indent: string
      readonly valueStart: number
      readonly valueEnd: number
    }
  | { readonly kind: 'inline' }
  | {
      readonly kind: 'block'
      /** Indentation of the entries. */
      readonly indent: string
      /** Behind the colon of `applications:`. */
      readonly keyEnd: number
      readonly entries: readonly EntryPlace[]
    }

/** Whole lines of one entry, with the comment lines directly above it and those indented below it. */
export interface EntryPlace {
  readonly name: string
  readonly start: number
  readonly end: number
}

/** Finds the applications in a text that `parseConfig` accepts. */
export function locateApplications(text: string): MappingPlace {
  const root = parseDocument(text).contents
  const caretaker = isMap(root) ? (findPair(root.items, 'caretaker')?.value ?? undefined) : undefined
  if (!isMap(caretaker) || caretaker.flow) return { kind: 'inline' }
  const indent = ' '.repeat(columnOf(text, keyOf(caretaker.items[0] as Pair).range[0]))
  const pair = findPair(caretaker.items, 'applications')
  if (pair === undefined) {
    const last = caretaker.items.at(-1) as Pair
    return { kind: 'absent', indent, insertAt: entryEnd(text, last, indent.length) }
  }
  const value = pair.value
  if (isMap(value) && value.items.length === 0) {
    const [valueStart, valueEnd] = value.range as [number, number, number]
    return { kind: 'empty', indent, valueStart, valueEnd }
  }
  if (!isMap(value) || value.flow) return { kind: 'inline' }
  const column = columnOf(text, keyOf(value.items[0] as Pair).range[0])
  return {
    kind: 'block',
    indent: ' '.repeat(column),
    keyEnd: text.indexOf(':', keyOf(pair).range[1]) + 1,
    entries: value.items.map((item) => ({
      name: String(keyOf(item).value),
      start: entryStart(text, keyOf(item).range[0], column),
      end: entryEnd(text, item, column),
    })),
  }
}

type Key = Scalar & { range: [number, number, number] }

function keyOf(pair: Pair): Key {
  return pair.key as Key
}

function findPair(items: readonly Pair[], key: string): Pair | undefined {
  return items.find((pair) => isScalar(pair.key) && pair.key.value === key)
}

function columnOf(text: string, offset: number): number {
  return offset - lineStart(text, offset)
}

function lineStart(text: string, offset: number): number {
  return text.lastIndexOf('\n', offset - 1) + 1
}

/** Start of the entry's line, or of the comment lines of the same indentation directly above it. */
function entryStart(text: string, keyOffset: number, column: number): number {
  const comment = `${' '.repeat(column)}#`
  let start = lineStart(text, keyOffset)
  while (start > 0) {
    const above = lineStart(text, start - 1)
    if (!text.startsWith(comment, above)) break
    start = above
  }
  return start
}

/** Behind the last line of the entry: its value, then comment lines indented deeper than its key. */
function entryEnd(text: string, pair: Pair, column: number): number {
  const value = pair.value as { range?: [number, number, number] } | null
  const valueEnd = value?.range?.[1] ?? keyOf(pair).range[1]
  let end = valueEnd > 0 && text[valueEnd - 1] === '\n' ? valueEnd : nextLine(text, valueEnd)
  while (end < text.length) {
    const after = nextLine(text, end)
    const [, spaces = '', first] = /^( *)(\S?)/.exec(text.slice(end, after)) ?? []
    if (first !== '#' || spaces.length <= column) break
    end = after
  }
  return end
}

function nextLine(text: string, offset: number): number {
  const end = text.indexOf('\n', offset)
  return end < 0 ? text.length : end + 1
}
