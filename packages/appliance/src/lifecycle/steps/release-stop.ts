import { formatDuration, HOUR_MS, SECOND_MS } from '@caretaker/kernel/time.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import type { Appliance } from '../appliance.ts'
import { runRebuild } from '../rebuild.ts'
import { type PlacedRelease, servicesIn, startServicesIn, stopServicesIn } from '../running-release.ts'

/** Stops the services of a release that may come back: on the way back they are started again and must be healthy. */
export const releaseStop = (appliance: Appliance) =>
  defineStep<PlacedRelease, null>({
    kind: 'release.stop',
    describe: ({ app, releaseId }) => `Stop all services of ${app} (${releaseId}): nothing writes any more`,
    async check(placed) {
      const known = await servicesIn(appliance, placed)
      return known.length === 0 ? { state: 'done' } : { state: 'needed', before: null }
    },
    apply: (placed) => stopServicesIn(appliance, placed),
    async undo(placed, _before, context) {
      await startServicesIn(appliance, placed, context)
      await runRebuild(appliance, placed, context)
    },
    timeoutMs: HOUR_MS,
  })

type RetireInput = PlacedRelease & { readonly drainMs: number }

/** Ends a release that is not served any more, once what it had begun to answer is answered. */
export const releaseRetire = (appliance: Appliance) =>
  defineStep<RetireInput, null>({
    kind: 'release.retire',
    describe: ({ app, releaseId, drainMs }) =>
      `Stop ${app} (${releaseId}) when its last requests and websockets have ended (at most ${formatDuration(drainMs)})`,
    async check(placed) {
      const known = await servicesIn(appliance, placed)
      return known.length === 0 ? { state: 'done' } : { state: 'needed', before: null }
    },
    async apply(placed) {
      // A gateway that does not answer has nothing open.
      await appliance.gateway.drain(placed.app, placed.drainMs, true).catch(() => undefined)
      await stopServicesIn(appliance, placed)
    },
    undo: 'not-needed',
    timeoutMs: 10 * 60 * SECOND_MS,
  })
