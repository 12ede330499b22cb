import type { Violation } from './judge.ts'
import type { Victim } from './kill-plan.ts'
import type { Memory } from './memory.ts'

/** A kill as it happened. */
export interface Kill {
  readonly at: number
  readonly victims: readonly Victim[]
}

/** Writes pause this long, in ms, from the kill until the next is acknowledged. */
export interface Gap {
  readonly kill: Kill
  readonly ms: number
}

/**
 * For each kill the longest time without an acknowledged number that began before the next kill. One that was under
 * way already counts from the kill on; one that lasts over the next kill counts whole for both.
 */
export function gapsOf(kills: readonly Kill[], memories: readonly Memory[]): readonly Gap[] {
  const times = memories
    .flatMap((memory) => (memory.kind === 'number' ? [memory.at] : []))
    .toSorted((a, b) => a - b)
  return kills.map((kill, index) => {
    const until = kills[index + 1]?.at ?? Number.POSITIVE_INFINITY
    let ms = 0
    let from = kill.at
    for (const at of times) {
      if (at < kill.at) continue
      ms = Math.max(ms, at - from)
      if (at > until) break
      from = at
    }
    return { kill, ms }
  })
}

export interface RunResult {
  readonly seed: number
  readonly kills: readonly Kill[]
  readonly memories: readonly Memory[]
  readonly violations: readonly Violation[]
  /** From the last end of all writing until `status` found nothing wrong, in ms. */
  readonly settledMs: number
}

/** The figures of a run as text for a terminal. */
export function summarise({ seed, kills, memories, violations, settledMs }: RunResult): string {
  const count = (passes: (memory: Memory) => boolean) => memories.filter(passes).length
  const first = memories[0]?.at ?? 0
  const figures: readonly (readonly [string, number | string])[] = [
    ['seed', seed],
    ['kills', kills.length],
    ['seconds of writing', Math.round(((memories.at(-1)?.at ?? first) - first) / 1000)],
    ['numbers acknowledged', count(({ kind }) => kind === 'number')],
    ['… found by a second attempt', count((each) => each.kind === 'number' && each.known === 'found')],
    ['entries acknowledged', count((each) => each.kind === 'entry' && !each.sha256)],
    ['uploads acknowledged', count((each) => each.kind === 'entry' && Boolean(each.sha256))],
    ['events received', count(({ kind }) => kind === 'event')],
    ['never answered', count(({ kind }) => kind === 'open number' || kind === 'open entry')],
    ['seconds until all was well', Math.round(settledMs / 100) / 10],
    ['violations', violations.length],
  ]
  return [
    ...figures.map(([name, value]) => `${name.padEnd(30)} ${value}`),
    '',
    ...troubleTable(memories),
    '',
    ...gapTable(gapsOf(kills, memories)),
    ...violations.slice(0, 50).map(({ kind, about, why }) => `VIOLATION ${kind}: ${about}: ${why}`),
  ].join('\n')
}

function troubleTable(memories: readonly Memory[]): readonly string[] {
  const counts = new Map<string, number>()
  for (const memory of memories) {
    if (memory.kind !== 'trouble') continue
    const key = `${memory.of.padEnd(10)} ${memory.what}`
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  const lines = [...counts].toSorted(([a], [b]) => a.localeCompare(b))
  return ['not acknowledged', ...lines.map(([key, value]) => `  ${key.padEnd(28)} ${value}`)]
}

function gapTable(gaps: readonly Gap[]): readonly string[] {
  const rows = new Map<string, number[]>()
  for (const { kill, ms } of gaps) {
    const name = kill.victims.length === 1 ? (kill.victims[0] as string) : `${kill.victims.length} together`
    rows.set(name, [...(rows.get(name) ?? []), ms])
  }
  const seconds = (ms: number | undefined) => ((ms ?? 0) / 1000).toFixed(2).padStart(8)
  return [
    `without an acknowledged number  kills  median s  longest s`,
    ...[...rows]
      .toSorted(([a], [b]) => a.localeCompare(b))
      .map(([name, all]) => {
        const sorted = all.toSorted((a, b) => a - b)
        const median = sorted[Math.floor(sorted.length / 2)]
        return `  ${name.padEnd(28)} ${String(all.length).padStart(6)}  ${seconds(median)}   ${seconds(sorted.at(-1))}`
      }),
  ]
}
