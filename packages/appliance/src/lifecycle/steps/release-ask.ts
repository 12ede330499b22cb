import { HOUR_MS } from '@caretaker/kernel/time.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import type { Appliance } from '../appliance.ts'
import { answerOn, askMigrates } from '../ask-migrates.ts'

type AskInput = {
  /** The application that is to be updated. */
  readonly app: string
  /** A clone of it as it is now. */
  readonly clone: string
  /** The release that is asked. */
  readonly releaseId: string
}

/** Asks a release on a clone whether it migrates the data; the answer stands in the record of the application. */
export const releaseAsk = (appliance: Appliance) =>
  defineStep<AskInput, null>({
    kind: 'release.ask',
    describe: ({ clone, releaseId }) => `Ask ${releaseId} on the clone ${clone} whether it migrates`,
    async check(input) {
      return (await answerOn(appliance, input)) ? { state: 'done' } : { state: 'needed', before: null }
    },
    async apply({ clone, releaseId }, _before, context) {
      await askMigrates(appliance, clone, releaseId, context)
    },
    undo: 'not-needed',
    timeoutMs: 2 * HOUR_MS,
  })
