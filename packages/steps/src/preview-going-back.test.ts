import { expect, test } from 'vitest'
import { previewPlan } from './preview.ts'
import { createTestBed, quiet } from './test-bed.ts'

test('of a plan that is taken back as a whole, what comes after the first step to be taken is taken too', async () => {
  const bed = await createTestBed({ a: 'new a', c: 'new c' })
  const plan = bed.planGoingBack(['set', 'a'], ['set', 'b'], ['point', 'c'])
  const { steps } = await previewPlan(bed.runner.registry, plan, quiet())
  expect(steps.map(({ state }) => state)).toEqual(['done', 'take', 'take'])
})
