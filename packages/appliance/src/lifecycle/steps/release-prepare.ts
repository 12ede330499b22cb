import { HOUR_MS } from '@caretaker/kernel/time.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import type { PinnedSource } from '../../release/release.ts'
import type { Appliance } from '../appliance.ts'
import { findWhole, wholeRelease } from '../whole-release.ts'

export type ReleaseInput = {
  readonly app: string
  readonly releaseId: string
}

type PrepareInput = ReleaseInput & { readonly pinned: never }

/** Fetches and builds one release beside whatever runs; of one that was prepared, what is gone. */
export const releasePrepare = (appliance: Appliance) =>
  defineStep<PrepareInput, null>({
    kind: 'release.prepare',
    describe: ({ app, releaseId, pinned }) =>
      `Prepare the release ${releaseId} of ${app} (${(pinned as PinnedSource).pin.slice(0, 20)}…)`,
    async check(wish) {
      return (await findWhole(appliance, wish)) ? { state: 'done' } : { state: 'needed', before: null }
    },
    async apply(wish, _before, context) {
      await wholeRelease(appliance, wish, context)
    },
    undo: 'not-needed',
    timeoutMs: HOUR_MS,
  })
