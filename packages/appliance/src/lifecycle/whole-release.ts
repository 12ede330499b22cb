import type { StepContext } from '@caretaker/steps/step.ts'
import type { PinnedSource } from '../release/release.ts'
import { readAppRecord } from './app-records.ts'
import { findKeptRelease, findRelease, type LoadedRelease, loadRelease } from './app-release.ts'
import type { Appliance } from './appliance.ts'
import { prepareFor } from './prepare-release.ts'
import { missingImages, prepareImages } from './release-images.ts'

/** A release that is to be started. */
export interface ReleaseWish {
  readonly app: string
  readonly releaseId: string
  /** Where it came from; absent: as the record of the application knows it. */
  readonly pinned?: PinnedSource
}

/** A release with all that it is started from; undefined when something of it is not here. @throws AppError ENGINE_UNREACHABLE */
export async function findWhole(
  appliance: Appliance,
  { app, releaseId }: ReleaseWish,
): Promise<LoadedRelease | undefined> {
  const loaded = await findRelease(appliance, app, releaseId)
  const missing = loaded?.images ? await missingImages(appliance, loaded.images) : []
  return missing.length === 0 ? loaded : undefined
}

/**
 * Makes sure that a release which is to be started is whole, and gives it: images that are gone, as after a `docker system
 * prune`, are fetched by their digests, or built from the source that the release keeps; a release whose folder is gone
 * is prepared from its source. Changes nothing where all is here.
 * @throws AppError BUILD_FAILED, SOURCE_…, IMAGE_…, REGISTRY_UNREACHABLE, DISK_FULL, ENGINE_…
 */
export async function wholeRelease(
  appliance: Appliance,
  wish: ReleaseWish,
  context: StepContext,
): Promise<LoadedRelease> {
  const { app, releaseId } = wish
  const whole = await findWhole(appliance, wish)
  if (whole) return whole
  const kept = await findKeptRelease(appliance, app, releaseId)
  if (kept) await prepareImages(appliance, kept.release, kept.application, context)
  else {
    const pinned = wish.pinned ?? (await pinnedOf(appliance, wish))
    if (pinned) await prepareFor(appliance, app, pinned, context)
  }
  return loadRelease(appliance, app, releaseId)
}

async function pinnedOf(
  { ports, folders }: Appliance,
  { app, releaseId }: ReleaseWish,
): Promise<PinnedSource | undefined> {
  const record = await readAppRecord(ports.files, folders.apps, app)
  if (record.releaseId === releaseId) return record.pinned
  return record.previous?.releaseId === releaseId ? record.previous.pinned : undefined
}

/** Why a release could not be made whole: it can be as soon as a registry answers or a person has put something right. */
export function isAboutRelease({ code }: { readonly code: string }): boolean {
  return /^(IMAGE|SOURCE)_/.test(code) || code === 'REGISTRY_UNREACHABLE' || code === 'BUILD_FAILED'
}
