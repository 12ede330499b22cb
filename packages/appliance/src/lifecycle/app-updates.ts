import { join } from 'node:path'
import { toAppError } from '@caretaker/kernel/errors.ts'
import { formatDuration } from '@caretaker/kernel/time.ts'
import { ownApplications } from '../config/clone.ts'
import type { Appliance } from './appliance.ts'
import { type RunningApp, runningApp, underLock } from './change-release.ts'
import { type Rehearsal, readRehearsals, readyUntil, settingsOf, verdictOn } from './rehearsals.ts'
import { readStateFile, writeStateFile } from './state-file.ts'
import { leftRelease, updateCommand, whenTakenBack } from './update-command.ts'
import { type UpdateTarget, updateTarget } from './update-target.ts'

/** What the source of one application holds. Plain JSON. */
export interface AppUpdate {
  readonly app: string
  /**
   * `up-to-date`: it runs that. `available`: it was not rehearsed, or long ago. `ready`: its rehearsal was good.
   * `refused`: it was bad, or the release was taken back. `unknown`: its source cannot be asked, or it cannot be updated now.
   */
  readonly state: 'up-to-date' | 'available' | 'ready' | 'refused' | 'unknown'
  /** Versions; null where they are not known. */
  readonly runs: string | null
  readonly holds: string | null
  /** Release id of what the source holds. */
  readonly release: string | null
  /** Since when it is known that the source holds this release, ISO 8601 instant; null for the one that runs. */
  readonly since: string | null
  readonly why: string | null
  /** The next command. */
  readonly next: string | null
  /** The newest verdict on this pair of releases. */
  readonly rehearsal: Rehearsal | null
}

interface Seen {
  readonly releaseId: string
  /** ISO 8601 instant. */
  readonly at: string
}

const seenFile = (stateFolder: string) => join(stateFolder, 'seen-releases.json')

/**
 * Asks the source of every application. What is seen for the first time is remembered with the time.
 * @throws AppError LOCKED
 */
export async function listUpdates(appliance: Appliance, signal: AbortSignal): Promise<readonly AppUpdate[]> {
  return underLock(appliance, 'look for updates', signal, (signal) => listUpdatesLocked(appliance, signal))
}

/** {@link listUpdates} for a caller that holds the lock. */
export async function listUpdatesLocked(
  appliance: Appliance,
  signal: AbortSignal,
): Promise<readonly AppUpdate[]> {
  const { ports, stateFolder } = appliance
  const path = seenFile(stateFolder)
  const known = await readStateFile<Readonly<Record<string, Seen>>>(ports.files, path).catch(() => undefined)
  const seen: Record<string, Seen> = {}
  const found: AppUpdate[] = []
  for (const app of Object.keys(ownApplications(appliance.config))) {
    const before = known?.[app]
    try {
      const running = await runningApp(appliance, app)
      const target = await updateTarget(appliance, app, undefined, signal)
      const at = before?.releaseId === target.releaseId ? before.at : ports.clock.now().toISOString()
      seen[app] = { releaseId: target.releaseId, at }
      found.push(await compared(appliance, app, running, target, at))
    } catch (error) {
      if (before) seen[app] = before
      found.push(unknown(app, error))
    }
  }
  await writeStateFile(ports.files, path, seen)
  return found
}

async function compared(
  { ports, stateFolder, config }: Appliance,
  app: string,
  running: RunningApp,
  target: UpdateTarget,
  since: string,
): Promise<AppUpdate> {
  const { releaseId, version } = running
  const head = { app, runs: version, holds: target.application.version, release: target.releaseId }
  if (target.releaseId === releaseId)
    return { ...head, state: 'up-to-date', since: null, why: null, next: null, rehearsal: null }
  const rehearsals = await readRehearsals(ports.files, stateFolder, app)
  const rehearsal = verdictOn(rehearsals, { from: releaseId, to: target.releaseId })
  const settings = settingsOf(config, app)
  const until = readyUntil(rehearsal, { now: ports.clock.now(), settings })
  const update = updateCommand(app, running.record, target)
  const again = `caretaker app rehearse ${app}`
  const { takenBack } = running.record
  const isTried = takenBack?.releaseId === target.releaseId
  const refused = leftRelease(running.record, target.releaseId) ?? (isTried ? takenBack : undefined)
  if (refused) {
    const why = `it ${whenTakenBack(refused)}`
    return { ...head, state: 'refused', since, why, next: update, rehearsal: rehearsal ?? null }
  }
  if (rehearsal && until) {
    const took = rehearsal.migration_ms
    const migration = took === null ? 'it migrates nothing' : `its migration took ${formatDuration(took)}`
    const why = `rehearsed ${rehearsal.at}: ${migration}`
    return { ...head, state: 'ready', since, why, next: update, rehearsal }
  }
  const isOther = rehearsal !== undefined && rehearsal.settings !== settings
  if (rehearsal?.failed && !isOther) {
    const { summary, error } = rehearsal.failed
    const why = `its rehearsal failed at "${summary}": ${error.why}`
    return { ...head, state: 'refused', since, why, next: again, rehearsal }
  }
  const old = isOther ? 'was with other settings of the config' : 'is too old'
  const why = rehearsal ? `its rehearsal of ${rehearsal.at} ${old}` : 'it was not rehearsed'
  return { ...head, state: 'available', since, why, next: again, rehearsal: rehearsal ?? null }
}

function unknown(app: string, error: unknown): AppUpdate {
  const { what, why, next } = toAppError(error)
  const nothing = { runs: null, holds: null, release: null, since: null, rehearsal: null }
  return { app, state: 'unknown', ...nothing, why: `${what}: ${why}`, next }
}
