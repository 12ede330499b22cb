import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import type { MatrixCase } from './cases.ts'
import type { Reference } from './reference.ts'
import type { CaseResult } from './run-case.ts'
import type { StageOptions } from './stage.ts'

/** A result in a file: a line of JSON each, with the name of the update, and where it was tried. */
type Line = StageOptions &
  Omit<CaseResult, 'tried'> & {
    readonly update: string
    readonly victim: MatrixCase['victim']
    readonly at: MatrixCase['at']
  }

/** What runs before have left in a file of one place, as far as there still is such an update. */
export function readResults(
  file: string | undefined,
  place: StageOptions,
  references: readonly Reference[],
): readonly CaseResult[] {
  if (file === undefined || !existsSync(file)) return []
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter(Boolean)
    .flatMap((line) => {
      const { update: name, victim, at, runtime, storage, ...rest } = JSON.parse(line) as Line
      if (runtime !== place.runtime || storage !== place.storage) return []
      const update = references.find((reference) => reference.update.name === name)?.update
      return update ? [{ ...rest, tried: { update, victim, at } as MatrixCase }] : []
    })
}

/** Adds a result to a file, if there is one. */
export function keepResult(
  file: string | undefined,
  { runtime, storage }: StageOptions,
  { tried, ...rest }: CaseResult,
): void {
  if (file === undefined) return
  const line: Line = {
    runtime,
    storage,
    update: tried.update.name,
    victim: tried.victim,
    at: tried.at,
    ...rest,
  }
  appendFileSync(file, `${JSON.stringify(line)}\n`)
}
