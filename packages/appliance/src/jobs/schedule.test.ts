import { DAY_MS, HOUR_MS } from '@caretaker/kernel/time.ts'
import { describe, expect, it } from 'vitest'
import { localOf } from './local-time.ts'
import { dueRuns, nextDue } from './schedule.ts'

const due = (pattern: string, zone: string, after: string, until: string) =>
  dueRuns({ pattern, zone }, new Date(after), new Date(until)).map((at) =>
    at.toISOString().replace(':00.000Z', 'Z'),
  )

const VIENNA = 'Europe/Vienna'

describe('the night the clock is set forward', () => {
  const night = ['2026-03-28T12:00:00Z', '2026-03-29T12:00:00Z'] as const

  it('runs what is due at the hour that is jumped over, once, that much later', () => {
    expect(due('30 2 * * *', VIENNA, ...night)).toEqual(['2026-03-29T01:30Z'])
    expect(due('15,45 2 * * *', VIENNA, ...night)).toEqual(['2026-03-29T01:15Z', '2026-03-29T01:45Z'])
    expect(due('0 2 * * SUN', VIENNA, ...night)).toEqual(['2026-03-29T01:00Z'])
  })

  it('merges a time that is jumped over with the one it falls on', () => {
    expect(due('*/30 1-3 * * *', VIENNA, ...night)).toEqual([
      '2026-03-29T00:00Z',
      '2026-03-29T00:30Z',
      '2026-03-29T01:00Z',
      '2026-03-29T01:30Z',
    ])
    expect(due('15,45 2,3 * * *', VIENNA, ...night)).toEqual(['2026-03-29T01:15Z', '2026-03-29T01:45Z'])
    expect(due('45 2 * * *', VIENNA, '2026-03-29T01:20:00Z', night[1])).toEqual(['2026-03-29T01:45Z'])
  })

  it('has 23 hours for a job of every hour', () => {
    expect(due('0 * * * *', VIENNA, '2026-03-28T22:30:00Z', '2026-03-29T21:30:00Z')).toHaveLength(23)
  })

  it('keeps every second hour, and midnight where midnight is jumped over', () => {
    expect(due('0 */2 * * *', VIENNA, '2026-03-28T22:30:00Z', '2026-03-29T05:00:00Z')).toEqual([
      '2026-03-28T23:00Z',
      '2026-03-29T01:00Z',
      '2026-03-29T02:00Z',
      '2026-03-29T04:00Z',
    ])
    expect(due('0 0 * * *', 'Africa/Cairo', '2026-04-23T12:00:00Z', '2026-04-25T12:00:00Z')).toEqual([
      '2026-04-23T22:00Z',
      '2026-04-24T21:00Z',
    ])
  })
})

describe('the night the clock is set back', () => {
  it('runs what is due at the hour that comes twice once, the first time', () => {
    const night = ['2026-10-24T12:00:00Z', '2026-10-25T12:00:00Z'] as const
    expect(due('30 2 * * *', VIENNA, ...night)).toEqual(['2026-10-25T00:30Z'])
    expect(due('0 */2 * * *', VIENNA, '2026-10-24T23:00:00Z', '2026-10-25T03:30:00Z')).toEqual([
      '2026-10-25T00:00Z',
      '2026-10-25T03:00Z',
    ])
    expect(due('30 2 * * *', VIENNA, '2026-10-25T00:30:00Z', '2026-10-25T23:00:00Z')).toEqual([])
    expect(due('30 2 * * *', VIENNA, '2026-10-25T01:15:00Z', '2026-10-25T23:00:00Z')).toEqual([])
  })

  it('has 25 hours for a job of every hour', () => {
    expect(due('0 * * * *', VIENNA, '2026-10-24T21:30:00Z', '2026-10-25T22:30:00Z')).toHaveLength(25)
  })
})

describe('other zones and calendars', () => {
  it('in the south the seasons are the other way round', () => {
    const auckland = 'Pacific/Auckland'
    expect(due('30 2 * * *', auckland, '2026-09-26T12:00:00Z', '2026-09-27T12:00:00Z')).toEqual([
      '2026-09-26T14:30Z',
    ])
    expect(due('30 2 * * *', auckland, '2026-04-04T12:00:00Z', '2026-04-05T12:00:00Z')).toEqual([
      '2026-04-04T13:30Z',
    ])
  })

  it('on Lord Howe the clock is set by half an hour', () => {
    const howe = 'Australia/Lord_Howe'
    expect(due('15 2 * * *', howe, '2026-10-03T06:00:00Z', '2026-10-04T06:00:00Z')).toEqual([
      '2026-10-03T15:45Z',
    ])
    expect(due('45 1 * * *', howe, '2026-04-04T06:00:00Z', '2026-04-05T06:00:00Z')).toEqual([
      '2026-04-04T14:45Z',
    ])
    expect(due('*/15 * * * *', howe, '2026-04-04T14:00:00Z', '2026-04-04T16:00:00Z')).toHaveLength(8)
  })

  it('a whole day that an island leaves out is not lost for a job of that day', () => {
    expect(due('30 2 30 12 *', 'Pacific/Apia', '2011-12-29T00:00:00Z', '2012-01-02T00:00:00Z')).toEqual([
      '2011-12-30T12:30Z',
    ])
  })

  it('29 February comes in leap years', () => {
    const schedule = { pattern: '0 4 29 2 *', zone: VIENNA }
    expect(nextDue(schedule, new Date('2026-03-01T00:00:00Z'))?.toISOString()).toBe(
      '2028-02-29T03:00:00.000Z',
    )
    expect(due('0 4 29 2 *', VIENNA, '2026-01-01T00:00:00Z', '2028-03-01T00:00:00Z')).toHaveLength(1)
    expect(nextDue({ pattern: '0 4 30 2 *', zone: VIENNA }, new Date())).toBeUndefined()
  })

  it('names of patterns are known', () => {
    expect(due('@daily', VIENNA, '2026-06-01T00:00:00Z', '2026-06-03T00:00:00Z')).toEqual([
      '2026-06-01T22:00Z',
      '2026-06-02T22:00Z',
    ])
    expect(due('@hourly', VIENNA, '2026-06-01T00:30:00Z', '2026-06-01T03:30:00Z')).toHaveLength(3)
  })
})

/** Not a due time too many or too few in years of switches, wherever the clock is looked at. */
it.each([
  [VIENNA, 2026],
  ['America/New_York', 2026],
  ['Pacific/Auckland', 2026],
  ['Australia/Lord_Howe', 2026],
  ['America/Havana', 2026],
  ['Africa/Casablanca', 2026],
  ['Asia/Kolkata', 2026],
  ['Pacific/Apia', 2011],
])('a nightly job runs once for every date on the wall: %s', (zone, year) => {
  for (const hour of [0, 2]) {
    const schedule = { pattern: `30 ${hour} * * *`, zone }
    let atMs = Date.UTC(year, 0, 2, 12)
    const endMs = Date.UTC(year, 11, 20)
    const dates: string[] = []
    while (atMs < endMs) {
      // A look at an odd time every eleven hours, as a daemon does that is started again and again.
      for (const run of dueRuns(schedule, new Date(atMs), new Date(atMs + 11 * HOUR_MS))) {
        dates.push(new Date(localOf(run.getTime(), zone)).toISOString().slice(0, 10))
      }
      atMs += 11 * HOUR_MS
    }
    expect(new Set(dates).size).toBe(dates.length)
    const days = Math.round((Date.parse(dates.at(-1) ?? '') - Date.parse(dates[0] ?? '')) / DAY_MS) + 1
    // Apia had no 30 December 2011, which is after this range.
    expect(dates).toHaveLength(days)
  }
})

it('years of a job of every minute are not counted one by one', () => {
  const schedule = { pattern: '* * * * *', zone: VIENNA }
  const found = dueRuns(schedule, new Date('2020-01-01T00:00:00Z'), new Date('2026-07-01T00:00:30Z'))
  expect(found.length).toBeGreaterThan(20)
  expect(found.length).toBeLessThanOrEqual(100)
  expect(found.at(-1)?.toISOString()).toBe('2026-07-01T00:00:00.000Z')
  const january = { pattern: '* 0-4 1 1 *', zone: VIENNA }
  const last = dueRuns(january, new Date('2025-12-01T00:00:00Z'), new Date('2026-07-01T00:00:00Z')).at(-1)
  expect(last?.toISOString()).toBe('2026-01-01T03:59:00.000Z')
})
