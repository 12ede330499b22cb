import { randomFrom, shuffled } from '../writer/random.ts'
import type { SeenRecord } from './journals.ts'
import type { TriedUpdate } from './updates.ts'

/**
 * What is killed: the daemon that updates; the command line that updates where there is no daemon; the postmaster, or
 * in containers the engine with its containerd, while a daemon updates.
 */
export const VICTIMS = ['daemon', 'command line', 'Postgres'] as const
export const ENGINE_VICTIMS = ['daemon', 'command line', 'engine'] as const
export type MatrixVictim = (typeof VICTIMS | typeof ENGINE_VICTIMS)[number]
export const INSTANTS = ['before', 'during', 'after'] as const
export type Instant = (typeof INSTANTS)[number]
export const PHASES = ['prepare', 'update', 'way back'] as const
export type Phase = (typeof PHASES)[number]

/** A step as it was taken by an update that nobody disturbed. */
export interface TakenStep {
  readonly phase: Phase
  readonly step: string
  readonly durationMs: number
}

export interface StepCase {
  readonly update: TriedUpdate
  readonly victim: MatrixVictim
  readonly at: TakenStep & { readonly instant: Instant }
}

/** One that strikes so long after the command was given. */
export interface RandomCase {
  readonly update: TriedUpdate
  readonly victim: MatrixVictim
  readonly at: { readonly afterMs: number }
}

export type MatrixCase = StepCase | RandomCase

export const isStepCase = (tried: MatrixCase): tried is StepCase => 'step' in tried.at

export function nameOfCase({ update, victim, at }: MatrixCase): string {
  const when = 'step' in at ? `${at.instant} ${at.phase}: ${at.step}` : `after ${at.afterMs} ms`
  return `${update.name}, ${victim} ${when}`
}

/** The steps that were taken and taken back, in the order in which that happened. */
export function stepsOf(records: readonly SeenRecord[]): readonly TakenStep[] {
  return records.flatMap(({ operation, record }): TakenStep[] => {
    if (record.type === 'step-applied')
      return [{ phase: phaseOf(operation), step: record.step, durationMs: record.duration_ms }]
    // One that fails is left in the middle as well.
    if (record.type === 'step-failed') {
      const begun = records.findLast(
        (each) =>
          each.operation === operation &&
          each.record.type === 'step-started' &&
          each.record.step === record.step,
      )
      const durationMs = begun ? Date.parse(record.at) - Date.parse(begun.record.at) : 0
      return begun ? [{ phase: phaseOf(operation), step: record.step, durationMs }] : []
    }
    if (record.type === 'step-undone')
      return [{ phase: 'way back', step: record.step, durationMs: record.duration_ms }]
    return []
  })
}

export const phaseOf = (operation: string): 'prepare' | 'update' =>
  /-prepare-/.test(operation) ? 'prepare' : 'update'

/** Every kill at every step. An update that fails goes forward like one that does not: of it only the way back is tried. */
export function everyCase(
  update: TriedUpdate,
  steps: readonly TakenStep[],
  victims: readonly MatrixVictim[] = VICTIMS,
): readonly StepCase[] {
  const tried = update.ends === 'NEW' ? steps : steps.filter(({ phase }) => phase === 'way back')
  return tried.flatMap((step) =>
    victims.flatMap((victim) => INSTANTS.map((instant) => ({ update, victim, at: { ...step, instant } }))),
  )
}

/** `count` of the cases that follow from the seed, as different as they can be: no update, victim or instant is left out long. */
export function sampleOf(cases: readonly StepCase[], seed: number, count: number): readonly StepCase[] {
  const left = [...shuffled(cases, randomFrom(seed))]
  const times = new Map<string, number>()
  const worn = ({ update, victim, at }: StepCase) =>
    [update.name, victim, at.instant, `${at.phase} ${at.step}`].map((key) => times.get(key) ?? 0)
  const sample: StepCase[] = []
  while (sample.length < count && left.length > 0) {
    const sum = (tried: StepCase) => worn(tried).reduce((a, b) => a + b, 0)
    const freshest = left.reduce((best, each) => (sum(each) < sum(best) ? each : best))
    left.splice(left.indexOf(freshest), 1)
    const { update, victim, at } = freshest
    for (const key of [update.name, victim, at.instant, `${at.phase} ${at.step}`])
      times.set(key, (times.get(key) ?? 0) + 1)
    sample.push(freshest)
  }
  return sample
}

/** Kills at instants that follow from the seed, up to a little after the update would have been over. */
export function randomCases(
  tried: readonly { readonly update: TriedUpdate; readonly lastsMs: number }[],
  victims: readonly MatrixVictim[],
  seed: number,
  count: number,
): readonly RandomCase[] {
  const random = randomFrom(seed)
  return Array.from({ length: count }, (_, index) => {
    const { update, lastsMs } = tried[index % tried.length]!
    const victim = victims[Math.floor(random() * victims.length)]!
    return { update, victim, at: { afterMs: Math.round(random() * lastsMs * 1.1) } }
  })
}
