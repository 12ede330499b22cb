import { MINUTE_MS } from '@caretaker/kernel/time.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import { appFolders } from '../app-files.ts'
import type { Appliance } from '../appliance.ts'

/** Removes the secret files of an application whose services are stopped; its next start writes them again. */
export const secretsRemove = (appliance: Appliance) =>
  defineStep<{ readonly app: string }, null>({
    kind: 'secrets.remove',
    describe: ({ app }) => `Remove the secret files of ${app}`,
    async check({ app }) {
      const there = await appliance.ports.files.stat(appFolders(appliance, app).secrets)
      return there ? { state: 'needed', before: null } : { state: 'done' }
    },
    async apply({ app }) {
      await appliance.ports.files.remove(appFolders(appliance, app).secrets)
    },
    undo: 'not-needed',
    timeoutMs: MINUTE_MS,
  })
