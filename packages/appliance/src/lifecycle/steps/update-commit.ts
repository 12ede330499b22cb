import { MINUTE_MS } from '@caretaker/kernel/time.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import { type AppRecord, readAppRecord, updateAppRecord } from '../app-records.ts'
import { loadRelease } from '../app-release.ts'
import type { Appliance } from '../appliance.ts'
import { appendHistory, contentsOf, type HistoryEntry } from '../release-history.ts'
import type { PlacedRelease } from '../running-release.ts'

type CommitInput = PlacedRelease & {
  /** Of the change, as `Updating.id`. */
  readonly id: string
  readonly kind: 'update' | 'rollback'
  readonly from: string
  /** The data from before the migration; null when none was needed. */
  readonly snapshot: string | null
  /** How long a crash loop of it makes it go back by itself; 0: never. */
  readonly watchMs: number
}

/**
 * From here on this is the release that runs, whatever happens: it is on disk, with its history, when the step is done.
 * Nothing that comes later reverts data by itself.
 */
export const updateCommit = (appliance: Appliance) =>
  defineStep<CommitInput, null>({
    kind: 'update.commit',
    describe: ({ app, releaseId }) => `Record ${releaseId} as the release of ${app} that runs`,
    async check({ app, releaseId, slot }) {
      const record = await readAppRecord(appliance.ports.files, appliance.folders.apps, app)
      return record.releaseId === releaseId && record.slot === slot && !record.updating
        ? { state: 'done' }
        : { state: 'needed', before: null }
    },
    async apply({ app, releaseId, slot, id, kind, from, snapshot, watchMs }) {
      const { ports, folders, actor } = appliance
      const record = await readAppRecord(ports.files, folders.apps, app)
      const { release } = await loadRelease(appliance, app, releaseId)
      const now = ports.clock.now()
      const { updating, left = [] } = record
      const entry: HistoryEntry = {
        id,
        at: now.toISOString(),
        kind,
        release: releaseId,
        from,
        ...(await contentsOf(appliance, release)),
        migrated: updating?.migrated !== undefined,
        migration_log: updating?.migrated ?? [],
        snapshot,
        ...(updating?.noRehearsal === undefined ? {} : { no_rehearsal: updating.noRehearsal }),
        ...(updating?.because === undefined ? {} : { why: updating.because }),
        ...actor,
        duration_ms: updating ? Math.max(0, now.getTime() - Date.parse(updating.since)) : 0,
      }
      const takenBack = kind === 'rollback' ? goneBackFrom(entry, updating, actor.user) : undefined
      // The history first: the entry of what is then not committed is withdrawn on the way back.
      await appendHistory(appliance, app, entry)
      await updateAppRecord(ports.files, folders.apps, app, {
        releaseId,
        slot,
        pinned: { source: release.source, pin: release.pin },
        since: now.toISOString(),
        stopped: false,
        updating: undefined,
        previous: previousOf(record, from, snapshot),
        takenBack,
        left: takenBack && [...left.filter((known) => known.releaseId !== releaseId), takenBack],
        watchedUntil: watchMs > 0 ? new Date(now.getTime() + watchMs).toISOString() : undefined,
      })
    },
    undo: 'commit',
    timeoutMs: MINUTE_MS,
  })

function previousOf(record: AppRecord, from: string, snapshot: string | null): AppRecord['previous'] {
  if (record.releaseId !== from || !record.pinned) return record.previous
  return { releaseId: from, pinned: record.pinned, ...(snapshot === null ? {} : { snapshot }) }
}

/** The release that did not hold, or that a person did not want. */
function goneBackFrom(
  { at, from }: HistoryEntry,
  updating: AppRecord['updating'],
  user: string,
): AppRecord['takenBack'] {
  if (from === null || !updating) return undefined
  const { because, fromVersion: version } = updating
  const why = because ?? `${user} took it back`
  return { releaseId: from, version, at, why, byItself: because !== undefined }
}
