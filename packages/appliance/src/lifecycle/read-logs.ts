import { join } from 'node:path'
import { AppError } from '@caretaker/kernel/errors.ts'
import { redact } from '@caretaker/kernel/secrets.ts'
import { readLogTail } from '../runtime/logs.ts'
import { APPLIANCE, type Runtime } from '../runtime/runtime.ts'
import type { Appliance } from './appliance.ts'
import { learnSecrets } from './learn-secrets.ts'

export interface LogLines {
  readonly app: string
  readonly service: string
  readonly file: string
  readonly lines: readonly string[]
}

const LOG = /^(.+)\.log$/

/**
 * The last lines of the logs, of all or of one application, service, or part of the appliance; every known secret masked.
 * @throws AppError USAGE, APP_UNKNOWN, SERVICE_UNKNOWN
 */
export async function readLogs(
  appliance: Appliance,
  wanted: { readonly app: string | undefined; readonly service: string | undefined; readonly lines: string },
): Promise<readonly LogLines[]> {
  const count = Number(wanted.lines)
  if (!Number.isInteger(count) || count < 1 || count > 100_000) {
    throw new AppError('USAGE', {
      what: 'No log was shown',
      why: `--lines wants a number from 1 to 100000, not "${wanted.lines}"`,
      next: 'Write --lines 100',
    })
  }
  await appliance.runtime.gatherLogs().catch(() => undefined)
  const all = await listLogs(appliance)
  const ofApp =
    wanted.app === undefined ? all : all.filter((log) => log.app === wanted.app || isPart(log, wanted.app))
  const isKnown = wanted.app !== undefined && appliance.config.applications[wanted.app] !== undefined
  // One that has written nothing yet has no file.
  if (isKnown && ofApp.length === 0) return []
  if (wanted.app !== undefined && ofApp.length === 0)
    throw unknown(
      'APP_UNKNOWN',
      wanted.app,
      all.map((log) => (log.app === APPLIANCE ? log.service : log.app)),
    )
  const chosen = wanted.service === undefined ? ofApp : ofApp.filter((log) => log.service === wanted.service)
  if (wanted.service !== undefined && chosen.length === 0) {
    throw unknown(
      'SERVICE_UNKNOWN',
      wanted.service,
      ofApp.map((log) => log.service),
    )
  }
  await learnSecrets(appliance)
  return Promise.all(
    chosen.map(async (log) => {
      const lines = await readLogTail(appliance.ports.files, log.file, count)
      return { ...log, lines: lines.map((line) => redact(line)) }
    }),
  )
}

type LogFile = Omit<LogLines, 'lines'>

const isPart = (log: LogFile, name: string | undefined) => log.app === APPLIANCE && log.service === name

async function listLogs({ ports, folders }: Appliance): Promise<readonly LogFile[]> {
  const found: LogFile[] = []
  for (const folder of (await ports.files.list(folders.logs)) ?? []) {
    for (const entry of (await ports.files.list(join(folders.logs, folder.name))) ?? []) {
      const service = LOG.exec(entry.name)?.[1]
      if (service === undefined) continue
      const app = folder.name === 'appliance' ? APPLIANCE : folder.name
      found.push({ app, service, file: join(folders.logs, folder.name, entry.name) })
    }
  }
  return found
}

function unknown(code: 'APP_UNKNOWN' | 'SERVICE_UNKNOWN', name: string, known: readonly string[]): AppError {
  const names = [...new Set(known)]
  return new AppError(code, {
    what: `There is no log of "${name}"`,
    why: names.length === 0 ? 'nothing has been started yet' : `there are logs of ${names.join(', ')}`,
    next: names.length === 0 ? 'caretaker up' : `caretaker logs ${names[0]}`,
  })
}

/** How often a followed log is looked at. */
const FOLLOW_MS = 300

/**
 * Hands on what is added to the logs, whole lines only, until `signal` fires. A log that was set aside meanwhile is
 * followed from its new beginning.
 */
export async function followLogs(
  { ports, runtime }: { readonly ports: Appliance['ports']; readonly runtime: Pick<Runtime, 'gatherLogs'> },
  logs: readonly Pick<LogLines, 'app' | 'service' | 'file'>[],
  onLine: (line: string, log: Pick<LogLines, 'app' | 'service'>) => void,
  signal: AbortSignal,
): Promise<void> {
  const sizeOf = async (file: string) => (await ports.files.stat(file))?.sizeBytes ?? 0
  const seen = await Promise.all(logs.map(async (log) => ({ log, bytes: await sizeOf(log.file) })))
  while (!signal.aborted) {
    await runtime.gatherLogs().catch(() => undefined)
    for (const entry of seen) {
      const size = await sizeOf(entry.log.file)
      if (size < entry.bytes) entry.bytes = 0
      if (size === entry.bytes) continue
      const added = Buffer.from(await ports.files.read(entry.log.file)).subarray(entry.bytes)
      const whole = added.lastIndexOf(0x0a) + 1
      entry.bytes += whole
      for (const line of added.subarray(0, whole).toString('utf8').split('\n')) {
        if (line !== '') onLine(line, entry.log)
      }
    }
    await ports.clock.wait(FOLLOW_MS, signal)
  }
}
