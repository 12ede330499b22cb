import { ownApplications } from '../../config/clone.ts'
import { readAppRecord } from '../app-records.ts'
import { findRelease } from '../app-release.ts'
import { missingImages } from '../release-images.ts'
import type { Found, Scene } from './finding.ts'

/** A release that a rollback would bring back and whose images are gone: it would be fetched or built first. */
export async function waysBack({ appliance }: Scene): Promise<readonly Found[]> {
  const { ports, folders, config } = appliance
  const found: Found[] = []
  for (const app of Object.keys(ownApplications(config))) {
    const { previous } = await readAppRecord(ports.files, folders.apps, app)
    const loaded = previous && (await findRelease(appliance, app, previous.releaseId))
    if (!previous || !loaded?.images) continue
    const missing = await missingImages(appliance, loaded.images)
    if (missing.length === 0) continue
    const withData = previous.snapshot === undefined ? '' : ' --with-data'
    const what = `the images for ${missing.join(', ')} of ${app} ${loaded.application.version}, which ran before, are not on this machine: a rollback fetches or builds them first, while the release of now serves`
    const next = `See that their registry, or what they are built from, is there; "caretaker app rollback ${app}${withData} --dry-run" shows the rollback`
    found.push({ result: 'notice', code: 'IMAGE_MISSING', what, next })
  }
  return found
}
