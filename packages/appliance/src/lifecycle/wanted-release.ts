import { join } from 'node:path'
import { releaseIdOf } from '../release/release.ts'
import { type FetchSourceDeps, fetchSource } from '../release/fetch.ts'
import { parseSource } from '../release/source.ts'
import type { Appliance } from './appliance.ts'
import { parseFor } from './app-release.ts'
import { findRelease } from './app-release.ts'
import { readAppRecord } from './app-records.ts'
import type { WantedRelease } from './plan-up.ts'

/**
 * The release an application shall run: the one that ran last, whatever its source holds by now, since a restart is
 * no update; for one that never ran, what its source holds now.
 * @throws AppError SOURCE_NOT_FOUND, SOURCE_REFUSED, COMPOSE_…, CONFIG_…
 */
export async function wantedRelease(appliance: Appliance, app: string, signal: AbortSignal): Promise<WantedRelease> {
  const record = await readAppRecord(appliance.ports.files, appliance.folders.apps, app)
  if (record.releaseId !== undefined && record.pinned) {
    const loaded = await findRelease(appliance, app, record.releaseId)
    if (loaded) return { app, releaseId: record.releaseId, pinned: record.pinned, application: loaded.application }
  }
  return resolveRelease(appliance, app, record.pinned, signal)
}
