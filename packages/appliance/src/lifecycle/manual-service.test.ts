import { describe, expect, it } from 'vitest'
import { parseServiceWish, parseUntil } from './manual-service.ts'

describe('the reason', () => {
  it.each([
    ['an escape sequence', 'a\u001b]0;x\u0007'],
    ['a text that runs backwards', 'a \u202e b'],
    ['a second line', 'a\nstate: running'],
    ['nothing', ' '],
    ['too much', 'x'.repeat(501)],
  ])('is refused with %s', (_name, reason) => {
    expect(() => parseServiceWish({ reason, until: undefined }, new Date())).toThrow(
      expect.objectContaining({ code: 'USAGE' }),
    )
  })

  it('may be in any script', () => {
    const reason = 'Umzug auf eine größere Platte — שלום'
    expect(parseServiceWish({ reason, until: undefined }, new Date()).reason).toBe(reason)
  })
})

describe('--until', () => {
  const now = new Date(2026, 10, 20, 12, 0, 0)
  const local = (...at: [number, number, number, number, number]) => new Date(...at).toISOString()

  it.each([
    ['18:30', local(2026, 10, 20, 18, 30)],
    ['9:05', local(2026, 10, 21, 9, 5)],
    ['12:00', local(2026, 10, 21, 12, 0)],
    ['2026-11-21T18:30:00+01:00', '2026-11-21T17:30:00.000Z'],
    ['2026-11-21T18:30:00Z', '2026-11-21T18:30:00.000Z'],
    ['2027-01-01', '2027-01-01T00:00:00.000Z'],
  ])('%s is %s', (text, at) => {
    expect(parseUntil(text, now)).toBe(at)
  })

  it.each([
    '',
    'tomorrow',
    '24:00',
    '12:60',
    '18.30',
    '2026-13-01',
    '2027-02-30T10:00:00Z',
    '2027-04-31',
    '1',
    '20 Nov 2027',
    '-1:00',
  ])('"%s" is refused with an example', (text) => {
    expect(() => parseUntil(text, now)).toThrow(
      expect.objectContaining({ code: 'USAGE', next: expect.stringContaining('--until 18:30') }),
    )
  })

  it('refuses a time that has passed', () => {
    expect(() => parseUntil('2026-11-19T00:00:00Z', now)).toThrow(
      expect.objectContaining({ why: expect.stringContaining('is in the past') }),
    )
  })
})
