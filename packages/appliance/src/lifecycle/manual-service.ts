import { AppError, type ErrorReport, toAppError } from '@caretaker/kernel/errors.ts'
import { printable } from '@caretaker/kernel/printable.ts'
import type { EmitEvent } from '@caretaker/steps/events.ts'
import { withOperationLock } from '@caretaker/steps/operation-lock.ts'
import type { OperationResult } from '@caretaker/steps/runner.ts'
import type { Appliance } from './appliance.ts'
import { readFacts, updateFacts } from './facts.ts'
import { refreshGateway } from './refresh-gateway.ts'
import { stopApps } from './stop-apps.ts'
import { type UpReport, upLocked } from './up.ts'

/** Longest reason on the service page, in characters. */
const LONGEST_REASON = 500

/** Why service mode is wanted, and its planned end as an ISO 8601 instant. */
export interface ServiceWish {
  readonly reason: string
  readonly until: string | undefined
}

/** What a person typed; `until` as {@link parseUntil} takes it. @throws AppError USAGE */
export function parseServiceWish(wanted: ServiceWish, now: Date): ServiceWish {
  const reason = wanted.reason.trim()
  const why = whyNoReason(reason)
  if (why !== undefined) {
    throw new AppError('USAGE', {
      what: 'Service mode was not switched on',
      why,
      next: 'Say the reason for the people who will read it: caretaker service on "Moving to a new disk"',
    })
  }
  return { reason, until: wanted.until === undefined ? undefined : parseUntil(wanted.until, now) }
}

function whyNoReason(reason: string): string | undefined {
  if (reason === '') return 'the reason is empty'
  if (reason.length > LONGEST_REASON)
    return `the reason has ${reason.length} characters, ${LONGEST_REASON} are allowed`
  if (/[\n\t]/.test(reason) || printable(reason) !== reason)
    return 'the reason holds a control character, a line end, or a mark that turns the direction of the text'
  return undefined
}

/**
 * Manual service mode: the gateway shows the page with the reason first, then the services of the applications are
 * stopped. Their Postgres stays up for whoever works on the data. Said again it changes reason and planned end.
 * @throws AppError LOCKED
 */
export async function serviceOn(
  appliance: Appliance,
  { reason, until }: ServiceWish,
  emit: EmitEvent,
  signal: AbortSignal,
): Promise<UpReport> {
  const { ports, stateFolder, actor, pid } = appliance
  return withOperationLock(
    ports,
    stateFolder,
    { actor, purpose: `service mode: ${reason}`, pid },
    async () => {
      const since = ports.clock.now().toISOString()
      await updateFacts(ports.files, stateFolder, ({ manual }) => ({
        manual: { reason, since: manual?.since ?? since, ...(until === undefined ? {} : { until }) },
      }))
      const hidden = await showPage(appliance)
      return reportOf(await stopApps(appliance, emit, signal), hidden)
    },
  )
}

/** Ends manual service mode and brings the applications up again. @throws AppError LOCKED */
export async function serviceOff(
  appliance: Appliance,
  emit: EmitEvent,
  signal: AbortSignal,
): Promise<UpReport> {
  const { ports, stateFolder, actor, pid } = appliance
  return withOperationLock(ports, stateFolder, { actor, purpose: 'end service mode', pid }, async () => {
    const { wanted } = await updateFacts(ports.files, stateFolder, () => ({ manual: undefined }))
    // What a person has stopped altogether stays stopped.
    if (wanted === 'down') return reportOf([], undefined)
    return upLocked(appliance, { firstStart: false }, emit, signal)
  })
}

/** Shows the page with the reason; gives the error when visitors cannot see it although the appliance is up. */
async function showPage(appliance: Appliance): Promise<ErrorReport | undefined> {
  try {
    await refreshGateway(appliance)
    return undefined
  } catch (error) {
    const { wanted, startedBefore } = await readFacts(appliance.ports.files, appliance.stateFolder)
    return wanted === 'up' && startedBefore ? toAppError(error).toReport() : undefined
  }
}

function reportOf(results: readonly OperationResult[], error: ErrorReport | undefined): UpReport {
  const failed = results.find((result) => result.outcome !== 'done')
  return {
    nothing_to_do: false,
    operations: results,
    errors: [...results.flatMap((result) => result.errors), ...(error ? [error] : [])],
    warnings: [],
    not_started: null,
    exit_code: failed?.exit_code ?? error?.exit_code ?? 0,
  }
}

/**
 * An ISO 8601 instant or date and time with offset, or a time of the next 24 hours as `18:30` in the machine's zone.
 * @throws AppError USAGE
 */
export function parseUntil(text: string, now: Date): string {
  const clock = /^([01]?\d|2[0-3]):([0-5]\d)$/.exec(text)
  const at = clock ? nextTime(Number(clock[1]), Number(clock[2]), now) : new Date(text)
  if (Number.isNaN(at.getTime()) || (!clock && !beginsWithDay(text))) {
    throw new AppError('USAGE', {
      what: 'Service mode was not switched on',
      why: `"${text}" is no time`,
      next: 'Write --until 18:30 or --until 2026-11-20T18:30:00+01:00',
    })
  }
  if (at <= now) {
    throw new AppError('USAGE', {
      what: 'Service mode was not switched on',
      why: `the planned end ${at.toISOString()} is in the past`,
      next: 'Name a time to come',
    })
  }
  return at.toISOString()
}

/** Whether the text begins with a day of the calendar: `Date` takes 30 February for 2 March. */
function beginsWithDay(text: string): boolean {
  const day = /^\d{4}-\d\d-\d\d/.exec(text)?.[0]
  if (day === undefined) return false
  const at = new Date(`${day}T00:00:00Z`)
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(day)
}

function nextTime(hours: number, minutes: number, now: Date): Date {
  const at = new Date(now)
  at.setHours(hours, minutes, 0, 0)
  if (at <= now) at.setDate(at.getDate() + 1)
  return at
}
