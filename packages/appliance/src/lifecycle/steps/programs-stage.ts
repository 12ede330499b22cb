import { dirname, join } from 'node:path'
import { MINUTE_MS } from '@caretaker/kernel/time.ts'
import { writeDurably } from '@caretaker/ports/durable.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import type { Appliance } from '../appliance.ts'

/** Others may pass through a folder with this bit. */
const OTHERS_PASS = 0o001

/**
 * As root from a folder that only root may enter: copies the programs to where the service user can reach them.
 */
export const programsStage = (appliance: Appliance) =>
  defineStep<null, null>({
    kind: 'programs.stage',
    describe: () => 'Copy Node and Postgres to where the service user can run them',
    async check() {
      return (await isReachable(appliance)) ? { state: 'done' } : { state: 'needed', before: null }
    },
    async apply() {
      const { files } = appliance.ports
      const target = stagedFolder(appliance)
      await files.remove(target)
      await files.remove(`${target}.tmp`)
      await files.copyTree(appliance.programs.folder, `${target}.tmp`)
      await writeDurably(files, join(`${target}.tmp`, STAGED), originOf(appliance), 0o644)
      await files.rename(`${target}.tmp`, target)
      await files.sync(dirname(target))
    },
    undo: 'not-needed',
    timeoutMs: 10 * MINUTE_MS,
  })

/** Names what was copied: programs of another version must not go on being used. */
const STAGED = 'staged.json'

const originOf = ({ programs }: Appliance) =>
  `${JSON.stringify({ version: programs.version, folder: programs.folder })}\n`

const stagedFolder = (appliance: Appliance) => join(appliance.stateFolder, 'programs')

async function isReachable(appliance: Appliance): Promise<boolean> {
  const { files } = appliance.ports
  const staged = stagedFolder(appliance)
  if (await files.stat(staged)) return (await files.readText(join(staged, STAGED))) === originOf(appliance)
  for (let folder = appliance.programs.folder; folder !== '/'; folder = dirname(folder)) {
    const info = await files.stat(folder)
    if (!info || (info.mode & OTHERS_PASS) === 0) return false
  }
  return true
}
