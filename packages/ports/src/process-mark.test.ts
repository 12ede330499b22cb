import { expect, it } from 'vitest'
import { isMarkOfApp, isMarkOfPlace, markOf } from './process-mark.ts'

const label = { appliance: 'id', place: 'here', app: 'shop', service: 'web' }

it('a mark tells its place and its application, and fits into a limit of the kernel', () => {
  const mark = markOf(label)
  expect(mark > 0n && mark < 2n ** 63n).toBe(true)
  expect(isMarkOfPlace(mark, label)).toBe(true)
  expect(isMarkOfApp(mark, label)).toBe(true)
  expect(isMarkOfPlace(mark, { ...label, place: 'elsewhere' })).toBe(false)
  expect(isMarkOfPlace(mark, { ...label, appliance: 'other' })).toBe(false)
  expect(isMarkOfApp(mark, { ...label, app: 'blog' })).toBe(false)
  expect(markOf({ ...label, service: 'run@1.2@abc' })).not.toBe(mark)
})
