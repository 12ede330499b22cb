import { DAY_MS, HOUR_MS } from '@caretaker/kernel/time.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import { readAppRecord, updateAppRecord } from '../app-records.ts'
import type { Appliance } from '../appliance.ts'
import { expireSnapshots, KEPT_DAYS } from '../revert-data.ts'

type TidyInput = {
  readonly app: string
  /** The one to keep; null: none is needed. */
  readonly snapshot: string | null
}

/** The snapshot from before this migration is kept for a week, an older one goes. */
export const snapshotsTidy = (appliance: Appliance) =>
  defineStep<TidyInput, null>({
    kind: 'snapshots.tidy',
    describe: ({ app, snapshot }) =>
      snapshot === null
        ? `Remove snapshots of ${app} whose time is over`
        : `Keep the snapshot ${snapshot} of ${app} for ${KEPT_DAYS} days, and remove an older one`,
    async check({ app, snapshot }) {
      const { ports, folders } = appliance
      const { kept = [] } = await readAppRecord(ports.files, folders.apps, app)
      const nowMs = ports.clock.now().getTime()
      const older = snapshot === null ? [] : kept.filter((entry) => isOlder(entry, snapshot))
      const over = kept.filter(({ until }) => Date.parse(until) <= nowMs)
      const isKept = snapshot === null || kept.some((entry) => entry.snapshot === snapshot)
      return isKept && older.length === 0 && over.length === 0 && !(await appliance.storage.holdsRoom(app))
        ? { state: 'done' }
        : { state: 'needed', before: null }
    },
    async apply({ app, snapshot }) {
      const { ports, folders } = appliance
      await appliance.storage.releaseRoom(app)
      const { kept = [] } = await readAppRecord(ports.files, folders.apps, app)
      const now = ports.clock.now()
      const since = now.toISOString()
      const until = new Date(now.getTime() + KEPT_DAYS * DAY_MS).toISOString()
      if (snapshot !== null) {
        const rest = kept
          .filter((entry) => entry.snapshot !== snapshot)
          .map((entry) => (isOlder(entry, snapshot) ? { ...entry, until: since } : entry))
        const newest = { snapshot, kind: 'pre-migrate', since, until } as const
        await updateAppRecord(ports.files, folders.apps, app, { kept: [...rest, newest] })
      }
      await expireSnapshots(appliance, app)
    },
    undo: 'not-needed',
    timeoutMs: HOUR_MS,
  })

const isOlder = (entry: { readonly kind: string; readonly snapshot: string }, newest: string) =>
  entry.kind === 'pre-migrate' && entry.snapshot !== newest
