import { join } from 'node:path'
import { toAppError } from '@caretaker/kernel/errors.ts'
import { Secret } from '@caretaker/kernel/secrets.ts'
import type { Files } from '@caretaker/ports/files.ts'
import { auditPath } from '@caretaker/steps/audit.ts'
import { journalPath } from '@caretaker/steps/journal.ts'
import { listOperations } from '@caretaker/steps/operations.ts'
import { configCandidates } from '../config/load.ts'
import { effectiveConfig } from '../config/show.ts'
import { createGatewayClient } from '../gateway/client.ts'
import { gatewayPaths } from '../gateway/gateway.ts'
import { runLogFolder, runLogsFolder } from '../jobs/run-log.ts'
import type { Surrounding } from '../lifecycle/appliance.ts'
import type { SeenDaemon } from '../lifecycle/doctor/finding.ts'
import { examine } from '../lifecycle/doctor.ts'
import { runFolder } from '../lifecycle/folders.ts'
import { learnSecrets } from '../lifecycle/learn-secrets.ts'
import { type OpenedInForce, openInForce } from '../lifecycle/open.ts'
import { status } from '../lifecycle/status.ts'
import { readIdentity } from '../sealing/identity-file.ts'
import { secretsOfConfigText } from '../sealing/sealed-config.ts'
import { openSealedText } from '../sealing/state-seal.ts'
import { machineFacts, ownProcesses } from './machine-facts.ts'

/** One file of the bundle, not masked yet. */
export interface Collected {
  readonly name: string
  readonly text: string
}

/** Newest operations whose journals go along. */
const MOST_JOURNALS = 30
/** Newest runs of each job whose logs go along. */
const MOST_RUNS = 5

/**
 * Everything a helper asks for about this appliance. What cannot be had stands there as its reason: a bundle is wanted
 * most when much is broken. Changes nothing but what `doctor` does.
 */
export async function collectBundle(
  around: Surrounding,
  configFile: string | undefined,
  daemon: SeenDaemon | undefined,
): Promise<readonly Collected[]> {
  const { ports, stateFolder, programs } = around
  const { files } = ports
  await learnFromFiles(around, configFile)
  const opened = await openInForce(around, configFile).catch((error: unknown) => toAppError(error))
  const inForce = async (): Promise<OpenedInForce> => {
    if (opened instanceof Error) throw opened
    return opened
  }
  if (!(opened instanceof Error)) await learnSecrets(opened.appliance)
  const run = runFolder(stateFolder, ports.machine.user().uid)
  const operations = await listOperations(files, stateFolder).catch(() => [])
  const json = (name: string, value: () => unknown) => entry(name, async () => indented(await value()))
  const copy = (name: string, path: string) =>
    entry(name, async () => (await files.readText(path)) ?? 'absent\n')
  return Promise.all([
    json('versions.json', () => ({
      caretaker: programs.version,
      state_folder: stateFolder,
      daemon: daemon ?? null,
    })),
    json('status.json', async () => status((await inForce()).appliance, daemon?.pid)),
    json('findings.json', () => examine(around, configFile, daemon)),
    json('config.json', async () => effectiveConfig((await inForce()).loaded)),
    json('gateway.json', () => createGatewayClient(ports, gatewayPaths(stateFolder, run)).status()),
    json('machine.json', () => machineFacts(ports, stateFolder)),
    json('processes.json', async () => ownProcesses(files, (await inForce()).appliance.runtime, daemon?.pid)),
    copy('facts.json', join(stateFolder, 'facts.json')),
    ...(await filesIn(files, join(stateFolder, 'apps'), 'apps', '.json')),
    ...(await filesIn(files, join(stateFolder, 'processes'), 'processes', '.json')),
    json('operations.json', () => operations),
    copy('audit.jsonl', auditPath(stateFolder)),
    ...operations
      .slice(0, MOST_JOURNALS)
      .map(({ operation }) => copy(`operations/${operation}.jsonl`, journalPath(stateFolder, operation))),
    ...(await filesIn(files, join(stateFolder, 'jobs'), 'jobs', '.jsonl')),
    ...(await logFiles(files, join(stateFolder, 'logs'))),
    ...(await runLogs(files, stateFolder)),
  ])
}

/** Takes note of every secret that can be found, also in a config that is not valid, so that all of them are masked. */
async function learnFromFiles(around: Surrounding, configFile: string | undefined): Promise<void> {
  const { files } = around.ports
  const { stateFolder } = around
  await readIdentity(files, stateFolder).catch(() => undefined)
  for (const file of configCandidates({ fromEnvironment: configFile, stateFolder })) {
    try {
      const text = (await files.readText(file)) ?? ''
      secretsOfConfigText(text)
      secretsOfConfigText(await openSealedText(files, stateFolder, text))
    } catch {
      // What cannot be read or opened is not in the bundle either.
    }
  }
  for (const [name, value] of Object.entries(around.programs.outgoing))
    if (/:\/\/[^/]*@/.test(value) || /auth|token|password/i.test(name))
      new Secret(`environment ${name}`, value)
}

async function entry(name: string, read: () => Promise<string>): Promise<Collected> {
  try {
    return { name, text: await read() }
  } catch (error) {
    return { name, text: indented({ not_available: toAppError(error).toReport() }) }
  }
}

const indented = (value: unknown) => `${JSON.stringify(value ?? null, null, 2)}\n`

async function filesIn(
  files: Files,
  folder: string,
  as: string,
  ending: string,
): Promise<readonly Promise<Collected>[]> {
  const found = (await files.list(folder).catch(() => undefined)) ?? []
  return found
    .filter(({ name, kind }) => kind === 'file' && name.endsWith(ending))
    .map(({ name }) =>
      entry(`${as}/${name}`, async () => (await files.readText(join(folder, name))) ?? 'absent\n'),
    )
}

/** Every log of the appliance and its applications; not those that were set aside. */
async function logFiles(files: Files, folder: string): Promise<readonly Promise<Collected>[]> {
  const folders = (await files.list(folder).catch(() => undefined)) ?? []
  const found = await Promise.all(
    folders
      .filter(({ kind }) => kind === 'folder')
      .map(({ name }) => filesIn(files, join(folder, name), `logs/${name}`, '.log')),
  )
  return found.flat()
}

/** What the newest runs of every job said. The id of a run begins with its time. */
async function runLogs(files: Files, stateFolder: string): Promise<readonly Promise<Collected>[]> {
  const jobs = (await files.list(runLogsFolder(stateFolder)).catch(() => undefined)) ?? []
  const found = await Promise.all(
    jobs
      .filter(({ kind }) => kind === 'folder')
      .map(async ({ name }) => {
        const folder = runLogFolder(stateFolder, name)
        const logs = (await files.list(folder).catch(() => undefined)) ?? []
        const newest = logs
          .map((log) => log.name)
          .toSorted()
          .slice(-MOST_RUNS)
        return newest.map((log) =>
          entry(
            `logs/jobs/${name}/${log}`,
            async () => (await files.readText(join(folder, log))) ?? 'absent\n',
          ),
        )
      }),
  )
  return found.flat()
}
