import { HOUR_MS } from '@caretaker/kernel/time.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import { loadRelease } from '../app-release.ts'
import type { Appliance } from '../appliance.ts'
import { answerOn } from '../ask-migrates.ts'
import { migrate } from '../migrate.ts'
import { checkStage, noteStage } from '../rehearsal-stages.ts'

/** A release that is rehearsed on a clone of its application. */
export type RehearsedRelease = {
  /** The application that is to be updated. */
  readonly app: string
  readonly clone: string
  readonly releaseId: string
}

/** Migrates the data of a clone with the release that is rehearsed, if that release has said that it migrates. */
export const rehearsalMigrate = (appliance: Appliance) =>
  defineStep<RehearsedRelease, null>({
    kind: 'rehearsal.migrate',
    describe: ({ clone, releaseId }) => `Migrate the data of ${clone} for ${releaseId}, if it migrates`,
    async check({ app, clone, releaseId }) {
      const answer = await answerOn(appliance, { app, clone, releaseId })
      if (answer && !answer.migrates) return { state: 'done' }
      return checkStage(appliance, clone, 'migrated')
    },
    async apply({ clone, releaseId }, _before, { signal, progress }) {
      const { application } = await loadRelease(appliance, clone, releaseId)
      await migrate(appliance, application, releaseId, { onLine: progress }, signal)
      await noteStage(appliance, clone, 'migrated')
    },
    undo: 'not-needed',
    timeoutMs: 25 * HOUR_MS,
  })
