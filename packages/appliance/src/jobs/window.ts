import { DAY_MS, HOUR_MS, MINUTE_MS } from '@caretaker/kernel/time.ts'
import { localOf } from './local-time.ts'

/** Hours of some days of the week, on the wall clock of an IANA zone. */
export interface Window {
  /** 0 is Sunday. The day is the one on which it opens. */
  readonly days: ReadonlySet<number>
  /** Times of day in ms; one that ends before it begins ends on the next day. */
  readonly fromMs: number
  readonly toMs: number
}

const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']

/** A window as "sun 02:00-05:00", "mon-fri 01:00-04:30", "sat,sun 22:00-02:00" or "02:00-05:00"; undefined when it is none. */
export function parseWindow(text: string): Window | undefined {
  const found = /^(?:([a-z,-]+) +)?(\d\d):(\d\d)-(\d\d):(\d\d)$/.exec(text.trim().toLowerCase())
  if (!found) return undefined
  const [, named = 'sun-sat', ...times] = found
  const [fromHour = 0, fromMinute = 0, toHour = 0, toMinute = 0] = times.map(Number)
  if (fromHour > 23 || toHour > 24 || fromMinute > 59 || toMinute > 59) return undefined
  const days = daysOf(named)
  const fromMs = fromHour * HOUR_MS + fromMinute * MINUTE_MS
  const toMs = toHour * HOUR_MS + toMinute * MINUTE_MS
  return days && toMs <= DAY_MS && fromMs !== toMs ? { days, fromMs, toMs } : undefined
}

function daysOf(text: string): ReadonlySet<number> | undefined {
  const days = new Set<number>()
  for (const part of text.split(',')) {
    const [first = '', last = first, ...more] = part.split('-')
    const [from, to] = [DAYS.indexOf(first), DAYS.indexOf(last)]
    if (from < 0 || to < 0 || more.length > 0) return undefined
    for (let day = from; ; day = (day + 1) % 7) {
      days.add(day)
      if (day === to) break
    }
  }
  return days
}

/** Whether a window is open at an instant. */
export function isOpen({ days, fromMs, toMs }: Window, at: Date, zone: string): boolean {
  const local = localOf(at.getTime(), zone)
  const timeMs = ((local % DAY_MS) + DAY_MS) % DAY_MS
  const today = new Date(local).getUTCDay()
  if (fromMs < toMs) return days.has(today) && timeMs >= fromMs && timeMs < toMs
  const yesterday = (today + 6) % 7
  return (days.has(today) && timeMs >= fromMs) || (days.has(yesterday) && timeMs < toMs)
}
