import { sha256 } from '@caretaker/kernel/json.ts'
import { MINUTE_MS } from '@caretaker/kernel/time.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import { editApplications } from '../../config/edit.ts'
import { parseConfig } from '../../config/parse.ts'
import type { Appliance } from '../appliance.ts'
import { writeConfig } from '../keep-config.ts'
import { openWithFile } from '../open.ts'

/** Makes the config name the branch, tag or commit that an application was updated to: the next update starts there. */
export const configRef = (appliance: Appliance) =>
  defineStep<{ readonly app: string; readonly ref: string }, null>({
    kind: 'config.ref',
    describe: ({ app, ref }) => `Write "ref: ${ref}" of ${app} into the config`,
    async check({ app, ref }) {
      const { loaded } = await openWithFile(appliance, appliance.configFile)
      const known = loaded.config.applications[app]
      return !known || known.ref === ref ? { state: 'done' } : { state: 'needed', before: null }
    },
    async apply({ app, ref }) {
      const { ports, stateFolder } = appliance
      const { loaded } = await openWithFile(appliance, appliance.configFile)
      const text = editApplications(loaded.text, { action: 'set-ref', name: app, ref }, loaded.file)
      const { config } = parseConfig(text, loaded.file)
      await writeConfig(ports, stateFolder, { config, file: loaded.file, text, hash: sha256(text) })
    },
    undo: 'not-needed',
    timeoutMs: MINUTE_MS,
  })
