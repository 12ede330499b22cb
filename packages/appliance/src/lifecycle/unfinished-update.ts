import { AppError, type ErrorReport } from '@caretaker/kernel/errors.ts'
import { listOperations, showOperation } from '@caretaker/steps/operations.ts'
import { listAppRecords, readAppRecord } from './app-records.ts'
import type { Appliance } from './appliance.ts'

/**
 * Refuses to start an application whose release is being changed, or could be neither changed nor taken back: its data
 * may be half migrated. With both reasons, and the one command that tries the way back again.
 * @throws AppError UPDATE_UNFINISHED
 */
export async function assertNoUnfinishedUpdate(appliance: Appliance, app: string): Promise<void> {
  const { ports, folders, stateFolder } = appliance
  const { updating } = await readAppRecord(ports.files, folders.apps, app)
  if (!updating) return
  const name = `${updating.kind}-${app}`
  const operations = await listOperations(ports.files, stateFolder)
  const found = operations.find((entry) => entry.name === name && entry.state !== 'done')
  const shown = found && (await showOperation(ports.files, stateFolder, found.operation))
  const reasons = bothReasons(shown?.progress.errors ?? [])
  throw new AppError('UPDATE_UNFINISHED', {
    what: `${app} is not started: its change from ${updating.fromVersion} to ${updating.toVersion} is neither finished nor taken back`,
    why: reasons.length === 0 ? 'its journal says no more' : reasons.join('; and on the way back: '),
    next: found
      ? `Nothing was deleted. Correct the cause, then try the way back again: caretaker operation undo ${found.operation}`
      : `Nothing was deleted. Look at "caretaker operation list" and "caretaker app show ${app}"`,
  })
}

/**
 * Why a change failed, and why its way back did at the last try; each once, however often it was tried. Pure.
 * `errors`: in the order in which they came.
 */
export function bothReasons(errors: readonly Pick<ErrorReport, 'what' | 'why'>[]): readonly string[] {
  const told = [errors[0], errors.at(-1)].filter((error) => error !== undefined)
  return [...new Set(told.map(({ what, why }) => `${what}: ${lastWords(why)}`))]
}

/** Whether a change of a release is neither finished nor taken back. A damaged record is said by who needs it. */
export async function hasUnfinishedUpdate({ ports: { files }, folders }: Appliance): Promise<boolean> {
  for (const app of await listAppRecords(files, folders.apps)) {
    const record = await readAppRecord(files, folders.apps, app).catch(() => undefined)
    if (record?.updating) return true
  }
  return false
}

/** Characters of one reason beside others; "operation show" has all of it. */
const REASON_LENGTH = 300

/** The end of a long reason, from the start of a line where that is near: what went wrong stands last in a log. Pure. */
export function lastWords(reason: string): string {
  const text = reason.trim()
  if (text.length <= REASON_LENGTH) return text
  const end = text.slice(-REASON_LENGTH)
  const start = end.indexOf('\n')
  return `… ${start === -1 || start > REASON_LENGTH / 2 ? end : end.slice(start + 1)}`
}
