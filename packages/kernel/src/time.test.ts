import fc from 'fast-check'
import { expect, it } from 'vitest'
import { formatDuration, parseDuration } from './time.ts'

it.each([
  [-5, '0 ms'],
  [0, '0 ms'],
  [850, '850 ms'],
  [999.6, '1.0 s'],
  [1500, '1.5 s'],
  [9_949, '9.9 s'],
  [9_999, '10 s'],
  [12_400, '12 s'],
  [59_999, '1 min'],
  [60_000, '1 min'],
  [250_000, '4 min 10 s'],
  [3_600_000, '1 h'],
  [11_100_000, '3 h 5 min'],
  [187_200_000, '2 d 4 h'],
])('formatDuration(%d) reads "%s"', (ms, text) => {
  expect(formatDuration(ms)).toBe(text)
})

it.each([
  ['500ms', 500],
  ['90s', 90_000],
  ['20 s', 20_000],
  ['10m', 600_000],
  ['1h30m', 5_400_000],
  ['1h 30m', 5_400_000],
  ['1.5h', 5_400_000],
  ['2d', 172_800_000],
  ['0s', 0],
])('parseDuration("%s") is %d ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms)
})

it.each(['', ' ', '90', 's', '-1s', '1 0s', '1s x', '1y', '1e3s', 's1', '1s,2m'])(
  'parseDuration("%s") is none',
  (text) => {
    expect(parseDuration(text)).toBeUndefined()
  },
)

it('never shows 60 s, 60 min or 24 h, and a longer time is never shown by a smaller unit', () => {
  const rank = (text: string) => ['ms', 's', 'min', 'h', 'd'].indexOf(text.split(' ')[1] as string)
  fc.assert(
    fc.property(fc.nat(400_000_000), fc.nat(400_000_000), (a, b) => {
      expect(formatDuration(a)).not.toMatch(/^(60 s|60 min|24 h|1000 ms)| (60 s|60 min|24 h)$/)
      expect(rank(formatDuration(Math.min(a, b)))).toBeLessThanOrEqual(rank(formatDuration(Math.max(a, b))))
    }),
  )
})
