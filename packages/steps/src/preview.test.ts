import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isNothingToDo, previewPlan } from './preview.ts'
import { runPlan } from './runner.ts'
import { createTestBed, quiet, type StepKind, type TestBed } from './test-bed.ts'

interface GeneratedStep {
  readonly kind: StepKind
  /** How the world stands before: in effect already, another value, nothing, or something in the way. */
  readonly found: 'done' | 'other' | 'nothing' | 'blocked'
}

const anyStep = (...found: GeneratedStep['found'][]): fc.Arbitrary<GeneratedStep> =>
  fc.record({ kind: fc.constantFrom<StepKind>('set', 'look', 'commit'), found: fc.constantFrom(...found) })

async function bedOf(steps: readonly GeneratedStep[]): Promise<TestBed> {
  const value = { done: (name: string) => `new ${name}`, other: () => 'other', blocked: () => 'blocked' }
  return createTestBed(
    Object.fromEntries(
      steps.flatMap(({ found }, index) =>
        found === 'nothing' ? [] : [[`s${index}`, value[found](`s${index}`)]],
      ),
    ),
  )
}

const planOf = (bed: TestBed, steps: readonly GeneratedStep[]) =>
  bed.plan('stop', ...steps.map(({ kind }, index) => [kind, `s${index}`] as const))

const taken = (bed: TestBed) =>
  bed.events.filter((event) => event.type === 'step-applied').map((event) => event.step)

describe('a dry run', () => {
  it('shows exactly the steps that the run then takes, in that order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep('done', 'other', 'nothing'), { maxLength: 8 }), async (steps) => {
        const bed = await bedOf(steps)
        const plan = planOf(bed, steps)
        const shown = await previewPlan(bed.runner.registry, plan, quiet())
        const before = bed.world()
        expect(bed.calls).toEqual([])
        expect(bed.world()).toEqual(before)
        const result = await runPlan(bed.runner, plan, quiet())
        expect(result.outcome).toBe('done')
        expect(taken(bed)).toEqual(shown.steps.filter((step) => step.state === 'take').map((step) => step.id))
        expect(isNothingToDo(shown)).toBe(taken(bed).length === 0)
        expect(isNothingToDo(await previewPlan(bed.runner.registry, plan, quiet()))).toBe(true)
      }),
    )
  })

  it('shows where the run then fails, and why', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyStep('done', 'other', 'nothing', 'blocked'), { maxLength: 8 }),
        async (steps) => {
          const bed = await bedOf(steps)
          const plan = planOf(bed, steps)
          const shown = await previewPlan(bed.runner.registry, plan, quiet())
          const result = await runPlan(bed.runner, plan, quiet())
          const wall = shown.steps.findIndex((step) => step.state === 'blocked')
          const reached = wall === -1 ? shown.steps : shown.steps.slice(0, wall)
          expect(taken(bed)).toEqual(reached.filter((step) => step.state === 'take').map((step) => step.id))
          expect(result.outcome).toBe(wall === -1 ? 'done' : 'stopped')
          expect(result.errors[0]?.why).toBe(shown.steps[wall]?.why)
        },
      ),
    )
  })

  it('says of every step what it is and whether there is a way back', async () => {
    const bed = await createTestBed()
    const plan = bed.plan('undo', ['set', 'a'], ['look', 'b'], ['commit', 'c'])
    const shown = await previewPlan(bed.runner.registry, plan, quiet())
    expect(shown).toMatchObject({ name: 'test', purpose: 'set the values', on_failure: 'undo' })
    expect(shown.steps.map((step) => [step.id, step.summary, step.way_back])).toEqual([
      ['a/set', 'Set a to new a', 'undo'],
      ['b/look', 'Set b to new b', 'not-needed'],
      ['c/commit', 'Set c to new c', 'impossible'],
    ])
  })
})

it('a plan with two steps of one id is refused: the journal could not tell them apart', async () => {
  const bed = await createTestBed()
  expect(() => bed.plan('undo', ['set', 'a'], ['set', 'a', 'other'])).toThrow('two steps with the id a/set')
})
