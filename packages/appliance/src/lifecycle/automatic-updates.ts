import { AppError } from '@caretaker/kernel/errors.ts'
import { DAY_MS } from '@caretaker/kernel/time.ts'
import { isOpen, parseWindow } from '../jobs/window.ts'
import { type AppUpdate, listUpdatesLocked } from './app-updates.ts'
import type { Appliance } from './appliance.ts'
import { rehearseLocked, UNATTENDED_WATCH_MS } from './rehearse.ts'
import { updateLocked } from './update-app.ts'

/** What is done by itself with what the source of an application holds, and why. */
export type AutomaticStep = {
  readonly app: string
  readonly kind: 'rehearse' | 'update' | 'wait'
  readonly why: string
}

interface Around {
  /** Instant. */
  readonly now: Date
  readonly isWindowOpen: boolean
  readonly holdDays: number
}

/**
 * What is to be done now. Only what is ready, known for the hold days and inside the window is taken. What is new is
 * rehearsed, whenever that is: nobody notices. What was refused waits for another release.
 */
export function decideAutomatic(update: AppUpdate, { now, isWindowOpen, holdDays }: Around): AutomaticStep {
  const { app, state, holds, since, why } = update
  if (state === 'available') return { app, kind: 'rehearse', why: why ?? 'it was not rehearsed' }
  if (state !== 'ready' || since === null) return { app, kind: 'wait', why: why ?? `it runs ${holds}` }
  const takenFrom = new Date(Date.parse(since) + holdDays * DAY_MS)
  if (now < takenFrom) return { app, kind: 'wait', why: `${holds} is held until ${takenFrom.toISOString()}` }
  if (!isWindowOpen) return { app, kind: 'wait', why: `${holds} is ready and waits for the window` }
  return { app, kind: 'update', why: `${holds} is ready` }
}

/**
 * Rehearses and takes what is due. The caller holds the lock. `tell` gets a line about each application.
 * @throws AppError the first failure, after all applications had their turn
 */
export async function updateAutomatically(
  appliance: Appliance,
  tell: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const { config, ports } = appliance
  const { hold_days: holdDays, window } = config.updates
  const parsed = parseWindow(window)
  const failures: AppError[] = []
  for (const found of await listUpdatesLocked(appliance, signal)) {
    const { app } = found
    const around = () => {
      const now = ports.clock.now()
      return {
        now,
        holdDays,
        isWindowOpen: parsed !== undefined && isOpen(parsed, now, config.identity.time_zone),
      }
    }
    let step = decideAutomatic(found, around())
    try {
      if (step.kind === 'rehearse') {
        tell(`${app}: ${found.holds} is rehearsed`)
        const wish = { app, to: undefined, allowOutside: false, watchMs: UNATTENDED_WATCH_MS }
        const { errors, rehearsal } = await rehearseLocked(appliance, wish, () => undefined, signal)
        if (errors[0]) throw AppError.fromReport(errors[0])
        step = decideAutomatic({ ...found, state: 'ready', rehearsal }, around())
      }
      tell(`${app}: ${step.why}`)
      if (step.kind !== 'update') continue
      const wish = { app, to: undefined, noRehearsal: undefined, watchMs: UNATTENDED_WATCH_MS }
      const report = await updateLocked(appliance, wish, () => undefined, signal)
      if (report.errors[0]) throw AppError.fromReport(report.errors[0])
      tell(`${app}: runs ${report.to} (before: ${report.from})`)
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      tell(`${app}: ${error.what}: ${error.why}`)
      failures.push(error)
    }
  }
  if (failures[0]) throw failures[0]
}
