import { listOperations, showOperation } from '@caretaker/steps/operations.ts'
import { readAppRecord } from './app-records.ts'
import type { Appliance } from './appliance.ts'
import { assertApp } from './apps.ts'
import { type HistoryEntry, readHistory } from './release-history.ts'

/** A change of the release that did not come into force. */
export interface Try {
  readonly operation: string
  readonly at: string
  readonly purpose: string
  readonly state: 'undone' | 'stopped' | 'unfinished' | 'damaged'
  readonly why: string
  readonly user: string
  readonly via: string
}

export interface AppHistory {
  readonly app: string
  readonly releases: readonly HistoryEntry[]
  readonly tries: readonly Try[]
}

/** Every release of an application that was put in force, and what was tried and was not. @throws AppError APP_UNKNOWN */
export async function showHistory(appliance: Appliance, app: string): Promise<AppHistory> {
  assertApp(appliance, app)
  const { ports, folders, stateFolder } = appliance
  const names = new Set([`update-${app}`, `rollback-${app}`, `prepare-${app}`])
  const tries: Try[] = []
  for (const found of (await listOperations(ports.files, stateFolder)).toReversed()) {
    if (!names.has(found.name) || found.state === 'done') continue
    const shown = await showOperation(ports.files, stateFolder, found.operation)
    const [error] = shown?.progress.errors ?? []
    tries.push({
      operation: found.operation,
      at: found.started_at,
      purpose: found.purpose,
      state: found.state,
      why: error ? `${error.what}: ${error.why}` : '',
      user: found.user,
      via: found.via,
    })
  }
  const releases = await readHistory(ports.files, stateFolder, app)
  // What was not committed yet is not in force. A damaged record is told by its application.
  const record = await readAppRecord(ports.files, folders.apps, app).catch(() => undefined)
  return { app, releases: releases.filter(({ id }) => id !== record?.updating?.id), tries }
}
