import fc from 'fast-check'
import { expect, it } from 'vitest'
import { formatBytes, GIB, KIB, MIB, TIB } from './units.ts'

it.each([
  [0, '0 B'],
  [512, '512 B'],
  [1023, '1023 B'],
  [KIB, '1.0 KiB'],
  [1536 * KIB, '1.5 MiB'],
  [MIB - 1, '1.0 MiB'],
  [200 * GIB, '200 GiB'],
  [2.5 * TIB, '2.5 TiB'],
  [-3 * MIB, '-3.0 MiB'],
])('formatBytes(%d) reads "%s"', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text)
})

it('never shows 1024 of a unit', () => {
  fc.assert(
    fc.property(fc.nat(2 ** 31 - 1), (bytes) => {
      expect(formatBytes(bytes)).not.toMatch(/^1024/)
    }),
  )
  expect(formatBytes(GIB - 1)).toBe('1.0 GiB')
  expect(formatBytes(TIB - 1)).toBe('1.0 TiB')
})
