import type { JournalRecord } from '@caretaker/steps/journal-records.ts'
import type { PlannedStep } from '@caretaker/steps/plan.ts'
import type { Rehearsal, RehearsedStep } from './rehearsals.ts'

/** What the journal of a rehearsal says about the release. */
export type Judgement = Pick<Rehearsal, 'verdict' | 'failed' | 'steps' | 'migration_ms' | 'duration_ms'>

/** Steps in which the release itself is at work on the clone: when one of these fails, the release is bad. */
const JUDGED = new Set([
  'database.create',
  'release.ask',
  'rehearsal.migrate',
  'clone.scrub',
  'clone.rebuild',
  'service.start',
  'rehearsal.smoke',
  'rehearsal.accept',
  'rehearsal.watch',
])

/**
 * The verdict that follows from the journal of an operation that rehearsed. Undefined when there is none: somebody
 * cancelled it, or it failed for a reason that says nothing about the release (no space, no clone).
 */
export function judgeRehearsal(records: readonly JournalRecord[]): Judgement | undefined {
  const [planned] = records
  if (planned?.type !== 'planned') return undefined
  const steps = rehearsedSteps(planned.plan.steps, records)
  const migration = steps.find(
    ({ step, state }) => step.endsWith('/rehearsal.migrate') && state === 'applied',
  )
  const last = records.at(-1)
  const head = {
    steps,
    migration_ms: migration?.duration_ms ?? null,
    duration_ms: last ? Math.max(0, Date.parse(last.at) - Date.parse(planned.at)) : 0,
  }
  const failure = records.find((record) => record.type === 'step-failed')
  if (!failure) {
    const isWhole = last?.type === 'ended' && last.outcome === 'done'
    return isWhole ? { verdict: 'good', failed: null, ...head } : undefined
  }
  const step = planned.plan.steps.find(({ id }) => id === failure.step)
  const isOfTheRelease =
    step &&
    (JUDGED.has(step.kind) || (step.kind === 'release.prepare' && failure.error.code === 'BUILD_FAILED'))
  if (!isOfTheRelease || failure.error.code === 'CANCELLED') return undefined
  return { verdict: 'bad', failed: { step: step.id, summary: step.summary, error: failure.error }, ...head }
}

function rehearsedSteps(
  plan: readonly PlannedStep[],
  records: readonly JournalRecord[],
): readonly RehearsedStep[] {
  const started = new Map<string, number>()
  return records.flatMap((record): readonly RehearsedStep[] => {
    if (record.type === 'step-started') started.set(record.step, Date.parse(record.at))
    if (record.type !== 'step-applied' && record.type !== 'step-failed') return []
    const summary = plan.find(({ id }) => id === record.step)?.summary ?? record.step
    if (record.type === 'step-applied')
      return [{ step: record.step, summary, state: 'applied', duration_ms: record.duration_ms }]
    const sinceMs = started.get(record.step) ?? Date.parse(record.at)
    return [{ step: record.step, summary, state: 'failed', duration_ms: Date.parse(record.at) - sinceMs }]
  })
}
