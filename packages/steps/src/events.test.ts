import { expect, it } from 'vitest'
import { fanOut, type OperationEvent } from './events.ts'

it('every listener hears every event, also when one of them throws', () => {
  const heard: OperationEvent[] = []
  const event: OperationEvent = { type: 'undo-begun', operation: 'o' }
  fanOut(
    () => {
      throw new Error('the terminal went away')
    },
    (told) => heard.push(told),
  )(event)
  expect(heard).toEqual([event])
})
