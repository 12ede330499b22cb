import { isStepCase, nameOfCase, type TakenStep } from './cases.ts'
import type { Reference } from './reference.ts'
import type { CaseResult } from './run-case.ts'
import type { StageOptions } from './stage.ts'

/** What a kill at this instant did, in a word: the release that serves, or that something is wrong. */
function word({ outcome, violations, struck }: CaseResult): string {
  if (violations.length > 0) return `**${outcome ?? 'NEITHER'} ✗**`
  return struck?.hit ? (outcome ?? '') : `(${outcome})`
}

/** A line for a terminal. */
export function lineOf(result: CaseResult): string {
  const { tried, struck, exitCode, violations, ms } = result
  const seconds = `${(ms / 1000).toFixed(0)} s`
  const hit = struck ? `${struck.hit ? 'hit' : 'nothing to kill'} at ${struck.found}` : 'it was over before'
  const told = [`${word(result)}  ${nameOfCase(tried)}  [${hit}; exit code ${exitCode}; ${seconds}]`]
  return [...told, ...violations.map((violation) => `    VIOLATION ${violation}`)].join('\n')
}

/** What was tried at one place. */
export interface MatrixRun extends StageOptions {
  readonly seed: number
  readonly references: readonly Reference[]
  /** How many cases a whole run has. */
  readonly planned: number
  readonly results: readonly CaseResult[]
}

/** The document of runs, for people. */
export function documentOf(runs: readonly MatrixRun[]): string {
  const head = `# What becomes of an update that is killed

Made by \`npm run kill-matrix -- --all\`; do not edit. Each case updates the guestbook while a client writes, kills at one
instant with SIGKILL, starts Caretaker again where it was killed, and lets nobody do anything else. What is there is
then compared with the client's own log, by SQL and by hashes of files; the layout of tables and files with that of an
undisturbed update; and snapshots, clones, processes, containers, networks, cells, mounts and the lock are looked for.

- OLD, NEW: the release that serves afterwards. Its data is its own, and everything acknowledged is there. Whoever is
  killed before the commit must end in OLD, after it in NEW; an update whose Postgres or engine is killed may get over it.
- In brackets: there was nothing to kill at that instant (the update itself had stopped that Postgres, or was over).
- ✗: something was wrong; see below its table. Empty: not run.
- before: the journal has just announced the step. during: half of the time that the step takes when undisturbed.
  after: the journal has just recorded its end.
- An update that fails goes forward like the first one; only its way back is in its table.
`
  return [head, ...runs.map(partOf)].join('\n')
}

const PLACES = {
  process: 'In processes',
  docker: 'In containers',
  directory: 'on folders',
  btrfs: 'on btrfs',
} as const

function partOf({ runtime, storage, seed, results, planned, references }: MatrixRun): string {
  const steps = results.filter(({ tried }) => isStepCase(tried))
  const red = results.filter(({ violations }) => violations.length > 0)
  const isWhole = steps.length >= planned
  return [
    `## ${PLACES[runtime]} ${PLACES[storage]}\n`,
    `${steps.length} of ${planned} cases of the matrix${isWhole ? '' : ' (a part of it)'} and ${results.length - steps.length} at random
instants, run ${whenOf(results)} seed ${seed}: ${red.length} with something wrong.\n`,
    ...references.map((reference) => tableOf(reference, steps)),
    randomTable(results),
    redList(red),
  ]
    .filter(Boolean)
    .join('\n')
}

const COLUMNS = (results: readonly CaseResult[]) =>
  [...new Set(['daemon', 'command line', ...results.map(({ tried }) => tried.victim)])].flatMap((victim) =>
    ['before', 'during', 'after'].map((instant) => ({ victim, instant })),
  )

/** When and on what the results were made. */
function whenOf(results: readonly CaseResult[]): string {
  const days = [...new Set(results.map(({ ranAt }) => ranAt.slice(0, 10)))].toSorted()
  const commits = [...new Set(results.map((result) => result.commit))]
  return `on ${days.join(', ')}, of the commits ${commits.join(', ')},`
}

function tableOf({ update, steps }: Reference, results: readonly CaseResult[]): string {
  const own = results.filter(({ tried }) => tried.update.name === update.name)
  const columns = COLUMNS(results)
  const cell = (step: TakenStep, { victim, instant }: (typeof columns)[number]) => {
    const found = own.find(
      ({ tried }) =>
        isStepCase(tried) &&
        tried.victim === victim &&
        tried.at.instant === instant &&
        tried.at.phase === step.phase &&
        tried.at.step === step.step,
    )
    return found ? word(found) : ''
  }
  const shown = update.ends === 'NEW' ? steps : steps.filter(({ phase }) => phase === 'way back')
  return [
    `### ${update.name[0]?.toUpperCase()}${update.name.slice(1)}`,
    '',
    `| step | ${columns.map(({ victim, instant }) => `${victim}, ${instant}`).join(' | ')} |`,
    `| --- |${columns.map(() => ' --- |').join('')}`,
    ...shown.map(
      (step) =>
        `| ${step.phase}: ${step.step} | ${columns.map((column) => cell(step, column)).join(' | ')} |`,
    ),
    '',
  ].join('\n')
}

function randomTable(results: readonly CaseResult[]): string {
  const random = results.filter(({ tried }) => !isStepCase(tried))
  if (random.length === 0) return ''
  return [
    '### Random instants',
    '',
    '| update | killed | after | it was at | ends |',
    '| --- | --- | --- | --- | --- |',
    ...random.map((result) => {
      const { tried, struck } = result
      const after = 'afterMs' in tried.at ? `${tried.at.afterMs} ms` : ''
      return `| ${tried.update.name} | ${tried.victim} | ${after} | ${struck?.found ?? 'it was over'} | ${word(result)} |`
    }),
    '',
  ].join('\n')
}

function redList(red: readonly CaseResult[]): string {
  if (red.length === 0) return ''
  const lines = red.flatMap(({ tried, violations }) =>
    violations.map((violation) => `- ${nameOfCase(tried)}: ${violation.split('\n')[0]?.slice(0, 400)}`),
  )
  return ['### What was wrong', '', ...lines, ''].join('\n')
}
