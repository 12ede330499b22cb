import { expect, test } from 'vitest'
import { fieldsOf } from './field-lines.ts'

const lines = (...texts: string[]) => texts.map((text) => Buffer.from(text, 'latin1'))

test('names are in lower case, lines of one name are joined, cookies stay apart', () => {
  const fields = fieldsOf(
    lines('ETag', '"1"', 'Vary', 'a', 'vary', 'b', 'Set-Cookie', 'x=1', 'set-cookie', 'y=2'),
  )
  expect({ ...fields }).toEqual({ etag: '"1"', vary: 'a, b', 'set-cookie': ['x=1', 'y=2'] })
})

test('of what can be said once only the first counts', () => {
  const fields = fieldsOf(lines('content-type', 'text/plain', 'Content-Type', 'text/html'))
  expect({ ...fields }).toEqual({ 'content-type': 'text/plain' })
})

test('every byte stays what it is', () => {
  const bytes = Buffer.from([0x66, 0xc3, 0xbc, 0xff])
  expect(Buffer.from(fieldsOf([Buffer.from('x'), bytes])['x'] as string, 'latin1')).toEqual(bytes)
})

test('no name reaches the prototype', () => {
  expect(Object.entries(fieldsOf(lines('__proto__', 'x', 'constructor', 'y')))).toEqual([
    ['__proto__', 'x'],
    ['constructor', 'y'],
  ])
})
