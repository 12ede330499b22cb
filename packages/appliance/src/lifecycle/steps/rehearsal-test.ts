import { AppError } from '@caretaker/kernel/errors.ts'
import { HOUR_MS } from '@caretaker/kernel/time.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import { serviceNamed } from '../../application/application.ts'
import { commandTail, runInService } from '../app-command.ts'
import { loadRelease } from '../app-release.ts'
import type { Appliance } from '../appliance.ts'
import { checkStage, noteStage } from '../rehearsal-stages.ts'
import { runSmoke } from '../smoke.ts'
import type { RehearsedRelease } from './rehearsal-migrate.ts'

/** The smoke test, as production takes it. */
export const rehearsalSmoke = (appliance: Appliance) =>
  defineStep<RehearsedRelease, null>({
    kind: 'rehearsal.smoke',
    describe: ({ clone }) => `Run the smoke test on ${clone}`,
    check: ({ clone }) => checkStage(appliance, clone, 'smoke'),
    async apply({ clone, releaseId }, _before, context) {
      await runSmoke(appliance, clone, releaseId, {}, context)
      await noteStage(appliance, clone, 'smoke')
    },
    undo: 'not-needed',
    timeoutMs: HOUR_MS,
  })

/** The acceptance test: it may write, so it runs on clones only. */
export const rehearsalAccept = (appliance: Appliance) =>
  defineStep<RehearsedRelease, null>({
    kind: 'rehearsal.accept',
    describe: ({ clone }) => `Run the acceptance test on ${clone}`,
    check: ({ clone }) => checkStage(appliance, clone, 'acceptance'),
    async apply({ clone, releaseId }, _before, { signal, progress }) {
      const { application } = await loadRelease(appliance, clone, releaseId)
      const { acceptance } = application
      if (acceptance) {
        const { command, timeoutMs } = acceptance
        const service = serviceNamed(application, acceptance.service)
        const options = { timeoutMs, onLine: progress }
        const result = await runInService(appliance, clone, releaseId, service, command, options, signal)
        if (result.exitCode !== 0)
          throw new AppError('ACCEPTANCE_FAILED', {
            what: `${clone} does not pass the acceptance test of ${releaseId}`,
            why: `"${command.join(' ')}" ${commandTail(result, timeoutMs)}`,
            next: 'Correct what it complains about in the release, then rehearse it again',
          })
      }
      await noteStage(appliance, clone, 'acceptance')
    },
    undo: 'not-needed',
    timeoutMs: 6 * HOUR_MS,
  })
