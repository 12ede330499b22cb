import { AppError } from '@caretaker/kernel/errors.ts'
import { MINUTE_MS } from '@caretaker/kernel/time.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import { serviceNamed } from '../../application/application.ts'
import { commandTail, runInService } from '../app-command.ts'
import { readAppRecord, updateAppRecord } from '../app-records.ts'
import { loadRelease } from '../app-release.ts'
import type { Appliance } from '../appliance.ts'
import type { ReleaseInput } from './release-prepare.ts'

/**
 * Runs the smoke test of a release that was started, and only when it passes records durably that this is the
 * release that runs.
 */
export const appCommit = (appliance: Appliance) =>
  defineStep<ReleaseInput, null>({
    kind: 'app.commit',
    describe: ({ app, releaseId }) =>
      `Run the smoke test of ${app}, if it has one, and record ${releaseId} as the release that runs`,
    async check({ app, releaseId }) {
      const record = await readAppRecord(appliance.ports.files, appliance.folders.apps, app)
      return record.releaseId === releaseId && !record.stopped
        ? { state: 'done' }
        : { state: 'needed', before: null }
    },
    async apply({ app, releaseId }, _before, { signal, progress }) {
      const { ports, folders } = appliance
      const { application, release } = await loadRelease(appliance, app, releaseId)
      const { smoke } = application
      if (smoke) {
        const service = serviceNamed(application, smoke.service)
        const options = { timeoutMs: smoke.timeoutMs, onLine: progress }
        const result = await runInService(appliance, app, releaseId, service, smoke.command, options, signal)
        if (result.exitCode !== 0)
          throw smokeFailed(app, `"${smoke.command.join(' ')}" ${commandTail(result)}`)
      }
      await updateAppRecord(ports.files, folders.apps, app, {
        releaseId,
        pinned: { source: release.source, pin: release.pin },
        since: ports.clock.now().toISOString(),
        stopped: false,
      })
    },
    undo: 'not-needed',
    timeoutMs: 30 * MINUTE_MS,
  })

function smokeFailed(app: string, why: string): AppError {
  return new AppError('SMOKE_FAILED', {
    what: `${app} started but does not pass its smoke test, so it is not served`,
    why,
    next: `Run "caretaker logs ${app}" and correct what it complains about, then "caretaker up"`,
  })
}
