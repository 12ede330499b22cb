import { join } from 'node:path'
import { AppError } from '@caretaker/kernel/errors.ts'
import { HOUR_MS, MINUTE_MS } from '@caretaker/kernel/time.ts'
import { DatabaseError } from '@caretaker/ports/database.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import { serviceNamed } from '../../application/application.ts'
import type { CloneRecord } from '../../config/clone.ts'
import { releaseSourceFolder } from '../../release/release.ts'
import { commandTail, runInService } from '../app-command.ts'
import { databaseAddress } from '../app-database.ts'
import { loadRelease } from '../app-release.ts'
import type { Appliance } from '../appliance.ts'
import { readClone, writeClone } from '../clone-records.ts'

type StageInput = {
  readonly clone: string
  readonly releaseId: string
}

/**
 * Runs the scrub SQL of the release in the database of a clone, as the role of the application: before any service starts.
 * All of it or nothing, unless the SQL commits by itself.
 */
export const cloneScrub = (appliance: Appliance) =>
  defineStep<StageInput, null>({
    kind: 'clone.scrub',
    describe: ({ clone }) =>
      `Clear in the database of ${clone} what no clone may hold, with the SQL of its release`,
    check: async ({ clone }) => isNoted(appliance, clone, 'scrubbed'),
    async apply({ clone, releaseId }) {
      const { application, release } = await loadRelease(appliance, clone, releaseId)
      const { scrub } = application.clone
      if (scrub !== undefined && application.database) {
        const path = join(releaseSourceFolder(appliance.stateFolder, release), scrub)
        const text = await appliance.ports.files.readText(path)
        if (text === undefined) throw scrubFailed(clone, `the release has no file ${scrub}`)
        await runScrub(appliance, clone, scrub, text)
      }
      await note(appliance, clone, { scrubbed: true })
    },
    undo: 'not-needed',
    timeoutMs: HOUR_MS,
  })

async function runScrub(appliance: Appliance, clone: string, file: string, text: string): Promise<void> {
  const address = await databaseAddress(appliance, clone)
  try {
    await appliance.ports.databases.withSession(address, { timeoutMs: HOUR_MS }, (session) =>
      session.query(text),
    )
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error
    const state = error.sqlState === undefined ? '' : ` (SQLSTATE ${error.sqlState})`
    throw scrubFailed(clone, `Postgres says of ${file}: ${error.message}${state}`, error)
  }
}

function scrubFailed(clone: string, why: string, cause?: unknown): AppError {
  return new AppError('CLONE_SCRUB_FAILED', {
    what: `The clone ${clone} was not started`,
    why,
    next: 'Correct the SQL that "x-caretaker.clone.scrub" of its compose file names, and update the application; then clone again',
    cause,
  })
}

/** Fills the volatile volumes of a clone, which begin empty, with the rebuild command of its release. */
export const cloneRebuild = (appliance: Appliance) =>
  defineStep<StageInput, null>({
    kind: 'clone.rebuild',
    describe: ({ clone }) => `Fill the volatile volumes of ${clone} with the rebuild command of its release`,
    check: async ({ clone }) => isNoted(appliance, clone, 'rebuilt'),
    async apply({ clone, releaseId }, _before, { signal, progress }) {
      const { application } = await loadRelease(appliance, clone, releaseId)
      const { rebuild } = application
      if (rebuild) {
        const service = serviceNamed(application, rebuild.service)
        const options = { timeoutMs: rebuild.timeoutMs, onLine: progress }
        const result = await runInService(
          appliance,
          clone,
          releaseId,
          service,
          rebuild.command,
          options,
          signal,
        )
        if (result.exitCode !== 0) throw rebuildFailed(clone, rebuild.command, commandTail(result))
      }
      await note(appliance, clone, { rebuilt: true })
    },
    undo: 'not-needed',
    timeoutMs: 2 * HOUR_MS,
  })

function rebuildFailed(clone: string, command: readonly string[], why: string): AppError {
  return new AppError('REBUILD_FAILED', {
    what: `The volatile volumes of ${clone} were not filled`,
    why: `"${command.join(' ')}" ${why}`,
    next: 'Correct what it complains about in the release of the application, then repeat the command',
  })
}

/** Makes a clone one of the applications that `up` brings up and the daemon keeps up. */
export const cloneOpen = (appliance: Appliance) =>
  defineStep<{ readonly clone: string }, null>({
    kind: 'clone.open',
    describe: ({ clone }) => `Keep ${clone} running until it expires`,
    async check({ clone }) {
      const record = await readClone(appliance.ports.files, appliance.stateFolder, clone)
      return record?.state === 'ready' ? { state: 'done' } : { state: 'needed', before: null }
    },
    apply: async ({ clone }) => note(appliance, clone, { state: 'ready' }),
    undo: 'not-needed',
    timeoutMs: MINUTE_MS,
  })

async function isNoted(appliance: Appliance, clone: string, what: 'scrubbed' | 'rebuilt') {
  const record = await readClone(appliance.ports.files, appliance.stateFolder, clone)
  return record?.[what] ? ({ state: 'done' } as const) : ({ state: 'needed', before: null } as const)
}

async function note(appliance: Appliance, clone: string, change: Partial<CloneRecord>): Promise<void> {
  const record = await readClone(appliance.ports.files, appliance.stateFolder, clone)
  if (!record) throw new Error(`there is no clone ${clone}`)
  await writeClone(appliance, { ...record, ...change })
}
