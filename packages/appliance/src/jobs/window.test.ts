import { expect, test } from 'vitest'
import { isOpen, parseWindow } from './window.ts'

const ZONE = 'Europe/Zurich'

// 2026-11-22 is a Sunday; Zurich is one hour ahead of UTC in winter, two in summer.
test.each([
  ['sun 02:00-05:00', '2026-11-22T01:00:00Z', true],
  ['sun 02:00-05:00', '2026-11-22T00:59:59Z', false],
  ['sun 02:00-05:00', '2026-11-22T04:00:00Z', false],
  ['sun 02:00-05:00', '2026-11-23T02:00:00Z', false],
  ['sun 02:00-05:00', '2026-07-05T00:00:00Z', true],
  ['mon-fri 01:00-04:30', '2026-11-20T03:29:00Z', true],
  ['mon-fri 01:00-04:30', '2026-11-21T02:00:00Z', false],
  ['fri-mon 01:00-04:30', '2026-11-22T02:00:00Z', true],
  ['sat,sun 22:00-02:00', '2026-11-22T23:30:00Z', true],
  ['sat,sun 22:00-02:00', '2026-11-23T01:30:00Z', false],
  ['22:00-24:00', '2026-11-18T22:59:00Z', true],
])('%s at %s: open %s', (text, at, open) => {
  const window = parseWindow(text)
  expect(window && isOpen(window, new Date(at), ZONE)).toBe(open)
})

test.each([
  '',
  'sun',
  'sonntag 02:00-05:00',
  '2:00-5:00',
  '25:00-26:00',
  '02:00-02:00',
  'mon-wed-fri 01:00-02:00',
])('"%s" is no window', (text) => expect(parseWindow(text)).toBeUndefined())
