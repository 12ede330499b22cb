import type { Found } from './found.ts'
import type { Memory } from './memory.ts'

/** What must never be. */
export interface Violation {
  readonly kind:
    | 'lost number'
    | 'lost entry'
    | 'missing file'
    | 'wrong content'
    | 'never sent'
    | 'done twice'
    | 'event not received'
    | 'events out of order'
    | 'wrong answer'
  /** The number, the id or the name that it is about. */
  readonly about: number | string
  readonly why: string
}

/** Compares what the client remembers with what is there. */
export function judge(memories: readonly Memory[], found: Found): readonly Violation[] {
  return [...judgeNumbers(memories, found), ...judgeEntries(memories, found), ...judgeEvents(memories)]
}

function judgeNumbers(memories: readonly Memory[], { numbers }: Found): Violation[] {
  const violations: Violation[] = []
  const rows = new Map(numbers.map((row) => [row.n, row]))
  const sent = new Map<number, string>()
  for (const memory of memories) {
    if (memory.kind === 'wrong') violations.push({ kind: 'wrong answer', about: memory.why, why: memory.why })
    if (memory.kind !== 'number' && memory.kind !== 'open number') continue
    sent.set(memory.n, memory.sha256)
    if (memory.kind === 'number' && !rows.has(memory.n)) {
      const when = new Date(memory.at).toISOString()
      violations.push({ kind: 'lost number', about: memory.n, why: `acknowledged ${when}, and has no row` })
    }
  }
  for (const { n, sha256, onDisk } of numbers) {
    const content = sent.get(n)
    if (content === undefined)
      violations.push({ kind: 'never sent', about: n, why: 'a row that the client knows nothing of' })
    else violations.push(...judgeFile(n, content, sha256, onDisk))
  }
  return violations
}

function judgeEntries(memories: readonly Memory[], { entries }: Found): Violation[] {
  const violations: Violation[] = []
  const rows = new Map(entries.map((row) => [row.id, row]))
  const sent = new Map<string, string | undefined>()
  for (const memory of memories) {
    if (memory.kind !== 'entry' && memory.kind !== 'open entry') continue
    sent.set(memory.name, memory.sha256)
    if (memory.kind === 'entry' && rows.get(memory.id)?.name !== memory.name)
      violations.push({ kind: 'lost entry', about: memory.id, why: `"${memory.name}" was acknowledged` })
  }
  const names = new Set<string>()
  for (const { id, name, sha256, onDisk } of entries) {
    if (!sent.has(name)) violations.push({ kind: 'never sent', about: id, why: `the entry "${name}"` })
    if (names.has(name))
      violations.push({ kind: 'done twice', about: id, why: `"${name}" was sent once and is there twice` })
    names.add(name)
    const content = sent.get(name)
    if (content !== undefined) violations.push(...judgeFile(name, content, sha256, onDisk))
  }
  return violations
}

function judgeFile(
  about: number | string,
  sent: string,
  inRow: string | undefined,
  onDisk: string | undefined,
): Violation[] {
  if (onDisk === undefined)
    return [{ kind: 'missing file', about, why: 'its row names a file that is not there' }]
  const differing = [...(inRow === sent ? [] : ['its row']), ...(onDisk === sent ? [] : ['its file'])]
  if (differing.length === 0) return []
  const why = `${differing.join(' and ')} differs from what was sent`
  return [{ kind: 'wrong content', about, why }]
}

function judgeEvents(memories: readonly Memory[]): Violation[] {
  const violations: Violation[] = []
  const heard = new Set<number>()
  let last = 0
  for (const memory of memories) {
    if (memory.kind !== 'event') continue
    if (memory.id <= last)
      violations.push({ kind: 'events out of order', about: memory.id, why: `it came after ${last}` })
    heard.add(memory.id)
    last = memory.id
  }
  for (const memory of memories)
    if (memory.kind === 'entry' && !heard.has(memory.id))
      violations.push({
        kind: 'event not received',
        about: memory.id,
        why: `"${memory.name}" was acknowledged`,
      })
  return violations
}
