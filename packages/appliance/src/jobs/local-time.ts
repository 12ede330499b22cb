import { DAY_MS } from '@caretaker/kernel/time.ts'

/** Of each zone, because making one costs more than using it a hundred times. */
const formats = new Map<string, Intl.DateTimeFormat>()

/** What a clock on the wall of this IANA zone shows at an instant, to the second, in ms as if it were UTC. */
export function localOf(instantMs: number, zone: string): number {
  const parts = formatOf(zone).formatToParts(instantMs)
  const part = (type: Intl.DateTimeFormatPartTypes) =>
    Number(parts.find((entry) => entry.type === type)?.value)
  return Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'))
}

/** The one instant at which a time on the wall counts as reached. */
export interface Reached {
  readonly atMs: number
  /** How far the clock jumps over this time, in ms; 0 for a time that the day has. */
  readonly jumpMs: number
}

/**
 * When a time on the wall (ms as if UTC) is reached. One that comes twice counts the first time; one that the clock
 * jumps over counts as much later as the clock jumps: 02:30 at 03:30.
 */
export function reachedAt(localMs: number, zone: string): Reached {
  const before = offsetAt(localMs - DAY_MS, zone)
  const after = offsetAt(localMs + DAY_MS, zone)
  const asBefore = localMs - before
  if (before === after) return { atMs: asBefore, jumpMs: 0 }
  const real = [asBefore, localMs - after].filter((atMs) => localOf(atMs, zone) === localMs)
  return real.length > 0 ? { atMs: Math.min(...real), jumpMs: 0 } : { atMs: asBefore, jumpMs: after - before }
}

/** Whether the clock of the zone is set forward or back within a day and a bit of an instant. */
export function isNearSwitch(instantMs: number, zone: string): boolean {
  return offsetAt(instantMs - 2 * DAY_MS, zone) !== offsetAt(instantMs + DAY_MS, zone)
}

function offsetAt(instantMs: number, zone: string): number {
  return localOf(instantMs, zone) - Math.floor(instantMs / 1000) * 1000
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone)
  if (known) return known
  const format = new Intl.DateTimeFormat('en-u-ca-iso8601', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })
  formats.set(timeZone, format)
  return format
}
