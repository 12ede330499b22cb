import { expect, test } from 'vitest'
import { Ending } from './ending.ts'

test('tells everybody once, and who comes later at once', () => {
  const ending = new Ending()
  const told: string[] = []
  ending.whenOver(() => told.push('early'))
  expect(ending.isOver).toBe(false)
  ending.end()
  ending.end()
  ending.whenOver(() => told.push('late'))
  expect([ending.isOver, told]).toEqual([true, ['early', 'late']])
})
