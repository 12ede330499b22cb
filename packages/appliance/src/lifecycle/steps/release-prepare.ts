import { HOUR_MS } from '@caretaker/kernel/time.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import type { PinnedSource } from '../../release/release.ts'
import { findRelease } from '../app-release.ts'
import type { Appliance } from '../appliance.ts'
import { prepareFor } from '../prepare-release.ts'
import { hasImages } from '../release-images.ts'

export type ReleaseInput = {
  readonly app: string
  readonly releaseId: string
}

/** Fetches and builds one release beside whatever runs. */
export const releasePrepare = (appliance: Appliance) =>
  defineStep<{ readonly app: string; readonly releaseId: string; readonly pinned: never }, null>({
    kind: 'release.prepare',
    describe: ({ app, releaseId, pinned }) =>
      `Prepare the release ${releaseId} of ${app} (${(pinned as PinnedSource).pin.slice(0, 20)}…)`,
    async check({ app, releaseId }) {
      const loaded = await findRelease(appliance, app, releaseId)
      const isWhole = loaded && (!loaded.images || (await hasImages(appliance, loaded.images)))
      return isWhole ? { state: 'done' } : { state: 'needed', before: null }
    },
    async apply({ app, pinned }, _before, context) {
      await prepareFor(appliance, app, pinned as PinnedSource, context)
    },
    undo: 'not-needed',
    timeoutMs: HOUR_MS,
  })
