import type { KillPoint } from './orders.ts'
import { type FaultPlan, type FaultStep, INITIAL, pathOf, wanted } from './plans.ts'
import type { DurableState, SeenRecord } from './remains.ts'

/**
 * What is wrong at the instant of a death, by the durable world and the durable journal alone. Nothing may have an
 * effect before the record that announces it is on disk, and nothing reported may be missing.
 */
export function judgeDeath(state: DurableState, plan: FaultPlan, reached: KillPoint | undefined): string[] {
  const { records = [] } = state
  return [...plan.steps.flatMap((step) => judgeStep(state, step)), ...judgeReached(state, records, reached)]
}

/** What is wrong after the last process has ended by itself. `word` is what it said. */
export function judgeEnd(state: DurableState, plan: FaultPlan, word: string | undefined): string[] {
  const found = plan.steps.flatMap((step) => judgeStep(state, step))
  const ended = state.records?.findLast((record) => record.type === 'ended')
  if (!state.records || state.records.length === 0) {
    if (word) found.push(`it says ${word}, but no journal is on disk`)
    for (const step of plan.steps) found.push(...differs(state, step, before(step), 'nothing had begun'))
    return found
  }
  if (!ended) return [...found, 'the journal on disk has no end']
  if (word && word !== ended.outcome) found.push(`it says ${word}, the journal on disk says ${ended.outcome}`)
  if (ended.outcome !== plan.outcome) found.push(`ended ${ended.outcome}, expected ${plan.outcome}`)
  const reasons = ended.errors?.map((error) => error.code).join(' ')
  if (reasons !== plan.reasons.join(' '))
    found.push(`reasons "${reasons}", expected "${plan.reasons.join(' ')}"`)
  for (const step of plan.steps) {
    if (ended.outcome === 'done') found.push(...differs(state, step, wanted(step), 'done'))
    if (ended.outcome === 'undone' && step.kind !== 'look')
      found.push(...differs(state, step, before(step), 'undone'))
    if (ended.outcome === 'stopped') found.push(...judgeStopped(state, step))
  }
  return found
}

function judgeStep(state: DurableState, step: FaultStep): string[] {
  const { records = [] } = state
  const own = records.filter((record) => record.step === step.name + KIND_SUFFIX[step.kind])
  const value = valueOf(state, step)
  const found: string[] = []
  const starts = own.filter((record) => record.type === 'step-started')
  if (value !== before(step) && starts.length === 0) {
    found.push(`${step.name} is "${value}", but no record on disk says that it was started`)
  }
  for (const start of starts) {
    if ((start.before ?? undefined) !== before(step)) {
      found.push(`${step.name} was "${before(step)}" before, the journal says "${String(start.before)}"`)
    }
  }
  const last = own.at(-1)?.type
  if (last === 'step-applied' && value !== wanted(step))
    found.push(`${step.name} is on record as applied, but is "${value}"`)
  if (last === 'step-undone' && value !== before(step))
    found.push(`${step.name} is on record as undone, but is "${value}"`)
  return found
}

/** Whose record has been synced may be killed after that: the record is there. */
function judgeReached(
  state: DurableState,
  records: readonly SeenRecord[],
  reached: KillPoint | undefined,
): string[] {
  if (reached?.at === 'journal-folder' && reached.phase === 'after-sync' && records.length === 0) {
    return [`the journal was created, but its ${state.records ? 'first record' : 'name'} is not on disk`]
  }
  if (reached?.at !== 'record' || reached.phase !== 'after-sync' || reached.index === 0) return []
  return records.length > reached.index ? [] : [`record ${reached.index} was appended, but is not on disk`]
}

/** Where an operation stopped, each value is what the record of its step says; a failed one may be anything of its own. */
function judgeStopped(state: DurableState, step: FaultStep): string[] {
  const { records = [] } = state
  const last = records.findLast((record) => record.step === step.name + KIND_SUFFIX[step.kind])?.type
  switch (last) {
    case undefined:
      return differs(state, step, before(step), 'not run')
    case 'step-skipped':
    case 'step-applied':
      return differs(state, step, wanted(step), last)
    case 'step-undone':
      return differs(state, step, before(step), last)
    case 'step-failed':
    case 'undo-failed':
      return []
    default:
      return [`${step.name} is left ${last} although the operation has ended`]
  }
}

const KIND_SUFFIX = { set: '/world.set', look: '/world.look', commit: '/world.commit' } as const

const before = (step: FaultStep): string | undefined => INITIAL[step.name]

const valueOf = (state: DurableState, step: FaultStep): string | undefined => state.texts.get(pathOf(step))

function differs(
  state: DurableState,
  step: FaultStep,
  expected: string | undefined,
  because: string,
): string[] {
  const value = valueOf(state, step)
  return value === expected ? [] : [`${step.name} is "${value}", but ${because}: it must be "${expected}"`]
}
