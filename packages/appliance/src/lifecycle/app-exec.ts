import { AppError } from '@caretaker/kernel/errors.ts'
import { HOUR_MS } from '@caretaker/kernel/time.ts'
import type { Command, CommandResult } from '@caretaker/ports/process.ts'
import { type Service, serviceNamed } from '../application/application.ts'
import { checkPostgres } from '../database/health.ts'
import { runInService } from './app-command.ts'
import { adminAddress } from './app-database.ts'
import { readAppRecord } from './app-records.ts'
import { loadRelease } from './app-release.ts'
import { tidySecretFiles } from './app-secrets.ts'
import type { Appliance } from './appliance.ts'
import { assertApp } from './apps.ts'
import { readFacts } from './facts.ts'

/** Limit for a command typed by a person that names none of its own. */
const EXEC_LIMIT_MS = 12 * HOUR_MS

/** Why a command will not reach its database: the reason that is known already, else what is seen now. */
async function databaseTrouble(appliance: Appliance, app: string): Promise<string | undefined> {
  const { ports, stateFolder } = appliance
  const health = await checkPostgres(ports.databases, await adminAddress(appliance, app))
  if (health.state === 'ready') return undefined
  const { failures } = await readFacts(ports.files, stateFolder)
  const known = failures[app] ?? failures.appliance
  const reason = known ? `${known.what}: ${known.why}` : `Postgres of ${app} does not serve: ${health.why}`
  return `caretaker: ${reason}; next: ${known?.next ?? 'caretaker up'}`
}

/**
 * Runs a program, or one of the shortcuts of the compose file, in the folder and with the environment of a service of
 * the release that runs. While its Postgres does not answer, that is told before: a program may do without.
 * @throws AppError APP_UNKNOWN, SERVICE_UNKNOWN, USAGE
 */
export async function execInApp(
  appliance: Appliance,
  wanted: { readonly app: string; readonly service: string | undefined; readonly command: readonly string[] },
  onLine: NonNullable<Command['onLine']>,
  signal: AbortSignal,
): Promise<CommandResult> {
  assertApp(appliance, wanted.app)
  const record = await readAppRecord(appliance.ports.files, appliance.folders.apps, wanted.app)
  if (record.releaseId === undefined) {
    throw new AppError('APP_COMMAND_FAILED', {
      what: 'The command was not run',
      why: `${wanted.app} has never run here`,
      next: 'caretaker up',
    })
  }
  const { application } = await loadRelease(appliance, wanted.app, record.releaseId)
  const shortcut = wanted.command.length > 0 ? application.commands[wanted.command[0] as string] : undefined
  const command = shortcut ? [...shortcut.command, ...wanted.command.slice(1)] : wanted.command
  if (command.length === 0) {
    const names = Object.keys(application.commands)
    throw new AppError('USAGE', {
      what: 'No command was run',
      why: 'none was named',
      next: `caretaker app exec ${wanted.app} -- ${names[0] ?? 'node --version'}${names.length > 1 ? ` (shortcuts: ${names.join(', ')})` : ''}`,
    })
  }
  const name = wanted.service ?? shortcut?.service ?? application.web.service
  const service = findService(application.services, wanted.app, name)
  const timeoutMs = shortcut?.timeoutMs ?? EXEC_LIMIT_MS
  const named = serviceNamed(application, service.name)
  const { releaseId } = record
  if (record.databaseCreated) {
    const trouble = await databaseTrouble(appliance, wanted.app)
    if (trouble !== undefined) onLine(trouble, 'stderr')
  }
  try {
    return await runInService(appliance, wanted.app, releaseId, named, command, { timeoutMs, onLine }, signal)
  } finally {
    await tidySecretFiles(appliance, wanted.app)
  }
}

function findService(services: readonly Service[], app: string, name: string): Service {
  const service = services.find((entry) => entry.name === name)
  if (service) return service
  throw new AppError('SERVICE_UNKNOWN', {
    what: 'The command was not run',
    why: `${app} has no service "${name}"; it has ${services.map((entry) => entry.name).join(', ')}`,
    next: 'Name one of them with --service',
  })
}
