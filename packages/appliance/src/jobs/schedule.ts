import { DAY_MS } from '@caretaker/kernel/time.ts'
import { Cron } from 'croner'
import { isNearSwitch, localOf, reachedAt } from './local-time.ts'

/** When something is due: a cron pattern of five fields, read on the wall clock of an IANA zone. */
export interface Schedule {
  readonly pattern: string
  readonly zone: string
}

/** More due times than this at once are counted from the newest back. */
const MOST_DUE = 100

/**
 * The first due time after an instant; undefined when there is none.
 *
 * A job for certain hours is due once for each of its times of day, whatever the clock does: a time that comes twice
 * counts the first time, one that is jumped over counts that much later. A job for every hour is due in every hour that
 * passes, 25 times on the long day and 23 times on the short one.
 */
export function nextDue(schedule: Schedule, after: Date): Date | undefined {
  const first = dueTimes(schedule, after.getTime()).next()
  return first.done ? undefined : new Date(first.value)
}

/** The due times after `after` up to `now`, oldest first; of more than {@link MOST_DUE} some of the newest. */
export function dueRuns(schedule: Schedule, after: Date, now: Date): readonly Date[] {
  let fromMs = after.getTime()
  let toMs = now.getTime()
  for (;;) {
    const found: Date[] = []
    for (const atMs of dueTimes(schedule, fromMs)) {
      if (atMs > toMs || found.length > MOST_DUE) break
      found.push(new Date(atMs))
    }
    if (found.length <= MOST_DUE) return found
    // Years of a job of every minute are not counted one by one.
    const middleMs = Math.ceil((fromMs + toMs) / 2)
    const first = dueTimes(schedule, middleMs).next()
    if (!first.done && first.value <= toMs) fromMs = middleMs
    else toMs = middleMs
  }
}

function dueTimes(schedule: Schedule, afterMs: number): Generator<number, void> {
  return isEveryHour(schedule.pattern) ? everyHour(schedule, afterMs) : onTheWall(schedule, afterMs)
}

function isEveryHour(pattern: string): boolean {
  if (pattern.startsWith('@')) return pattern === '@hourly'
  return ['*', '*/1', '0-23'].includes(pattern.trim().split(/\s+/)[1] ?? '')
}

function* everyHour({ pattern, zone }: Schedule, afterMs: number): Generator<number, void> {
  const cron = new Cron(pattern, { timezone: zone, paused: true })
  for (let at = cron.nextRun(new Date(afterMs)); at; at = cron.nextRun(at)) yield at.getTime()
}

function* onTheWall({ pattern, zone }: Schedule, afterMs: number): Generator<number, void> {
  // Read as UTC the pattern meets every time of day exactly once; what the zone makes of each is decided here.
  const cron = new Cron(pattern, { timezone: 'UTC', paused: true })
  // A time that was jumped over may still come; how long ago it stood on the wall nobody knows.
  const since = localOf(afterMs, zone) - (isNearSwitch(afterMs, zone) ? DAY_MS + 1 : 0)
  let lastMs = afterMs
  /** Times that were jumped over, shifted, until those on the wall have caught up. */
  let shifted: number[] = []
  for (let local = cron.nextRun(new Date(since)); local; local = cron.nextRun(local)) {
    const { atMs, jumpMs } = reachedAt(local.getTime(), zone)
    if (jumpMs > 0) {
      shifted.push(atMs)
      continue
    }
    for (const dueMs of [...shifted.filter((each) => each <= atMs), atMs]) {
      if (dueMs > lastMs) yield (lastMs = dueMs)
    }
    shifted = shifted.filter((each) => each > atMs)
  }
  for (const dueMs of shifted) if (dueMs > lastMs) yield (lastMs = dueMs)
}
