import { dirname, join } from 'node:path'
import type { SourceOptions } from '../release/cache.ts'
import { fetchSource } from '../release/fetch.ts'
import { type FetchedSource, type PinnedSource, releaseIdOf } from '../release/release.ts'
import { resolveSource } from '../release/resolve.ts'
import { parseSource } from '../release/source.ts'
import { readAppRecord } from './app-records.ts'
import { findRelease, parseFor } from './app-release.ts'
import type { Appliance } from './appliance.ts'
import type { WantedRelease } from './plan-up.ts'

/**
 * The release an application shall run: the one that ran last, whatever its source holds by now, since a restart is
 * no update; for one that never ran, what its source holds now, and for a clone what it was made with.
 * @throws AppError SOURCE_NOT_FOUND, SOURCE_REFUSED, SOURCE_CHANGED, COMPOSE_…, CONFIG_…
 */
export async function wantedRelease(
  appliance: Appliance,
  app: string,
  signal: AbortSignal,
): Promise<WantedRelease> {
  const record = await readAppRecord(appliance.ports.files, appliance.folders.apps, app)
  if (record.releaseId !== undefined && record.pinned) {
    const loaded = await findRelease(appliance, app, record.releaseId, true)
    if (loaded) {
      const { releaseId, pinned, slot } = record
      return { app, releaseId, pinned, application: loaded.application, slot }
    }
  }
  const pinned =
    record.pinned ??
    appliance.config.applications[app]?.clone?.pinned ??
    (await pinSource(appliance, app, signal))
  const { application } = await fetchFor(appliance, app, pinned, signal)
  const releaseId = releaseIdOf(application.version, pinned.pin)
  return { app, releaseId, pinned, application, slot: record.slot }
}

/** What the source of an application holds now. */
async function pinSource(appliance: Appliance, app: string, signal: AbortSignal): Promise<PinnedSource> {
  const configured = appliance.config.applications[app] as Appliance['config']['applications'][string]
  const source = parseSource({
    text: configured.source,
    ref: configured.ref,
    baseFolder: dirname(appliance.configFile),
  })
  return resolveSource(appliance.ports, source, sourceOptions(appliance, signal))
}

/** The pinned source on this machine, with its compose file read for this appliance. */
export async function fetchFor(
  appliance: Appliance,
  app: string,
  pinned: PinnedSource,
  signal: AbortSignal,
): Promise<{ readonly fetched: FetchedSource; readonly application: WantedRelease['application'] }> {
  const fetched = await fetchSource(appliance.ports, pinned, sourceOptions(appliance, signal))
  const file = join(fetched.folder, fetched.composeFile)
  return { fetched, application: parseFor(appliance, app, file, fetched.composeText, true) }
}

/** How the sources of this appliance are fetched. */
export function sourceOptions(appliance: Appliance, signal: AbortSignal): SourceOptions {
  return {
    cacheFolder: join(appliance.folders.volatile, 'sources'),
    environment: appliance.programs.outgoing,
    signal,
  }
}
