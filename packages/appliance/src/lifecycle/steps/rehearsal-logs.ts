import { join } from 'node:path'
import { MINUTE_MS } from '@caretaker/kernel/time.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import { appFolders } from '../app-files.ts'
import type { Appliance } from '../appliance.ts'
import { checkStage, noteStage } from '../rehearsal-stages.ts'
import { rehearsalLogs } from '../rehearsals.ts'

type LogsInput = {
  readonly app: string
  readonly clone: string
  /** Of the rehearsal. */
  readonly id: string
}

/** The first step on a clone that rehearses: on the way back it keeps what the services said, before the clone goes. */
export const rehearsalBegin = (appliance: Appliance) =>
  defineStep<LogsInput, null>({
    kind: 'rehearsal.begin',
    describe: ({ clone }) => `Note that ${clone} is for a rehearsal: if it fails, its logs are kept`,
    check: ({ clone }) => checkStage(appliance, clone, 'begun'),
    apply: ({ clone }) => noteStage(appliance, clone, 'begun'),
    undo: (input) => keepLogs(appliance, input),
    timeoutMs: MINUTE_MS,
  })

/** The last step on a clone that rehearses. */
export const rehearsalEnd = (appliance: Appliance) =>
  defineStep<LogsInput, null>({
    kind: 'rehearsal.end',
    describe: ({ clone }) => `Keep the logs of ${clone}`,
    check: ({ clone }) => checkStage(appliance, clone, 'ended'),
    async apply(input) {
      await keepLogs(appliance, input)
      await noteStage(appliance, input.clone, 'ended')
    },
    undo: 'not-needed',
    timeoutMs: MINUTE_MS,
  })

async function keepLogs(appliance: Appliance, { app, clone, id }: LogsInput): Promise<void> {
  const { ports, runtime, stateFolder } = appliance
  const { files } = ports
  await runtime.gatherLogs().catch(() => undefined)
  const { logs } = appFolders(appliance, clone)
  const folder = rehearsalLogs(stateFolder, app, id)
  await files.makeFolder(folder, 0o700)
  for (const { name, kind } of (await files.list(logs)) ?? []) {
    if (kind !== 'file' || !name.endsWith('.log')) continue
    const text = await files.readText(join(logs, name))
    if (text !== undefined) await files.write(join(folder, name), text, 0o600)
  }
}
