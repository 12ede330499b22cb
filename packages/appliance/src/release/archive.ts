import { AppError } from '@caretaker/kernel/errors.ts'
import { MINUTE_MS } from '@caretaker/kernel/time.ts'
import { formatBytes, GIB } from '@caretaker/kernel/units.ts'
import { commandError } from '@caretaker/ports/command.ts'
import type { Command, Processes } from '@caretaker/ports/process.ts'
import type { FetchOptions } from './git.ts'

const MOST_ENTRIES = 100_000
const MOST_BYTES = 2 * GIB
/** Type, rights, owner, size, date, time, name: a line of "tar --list --verbose". */
const LINE = /^([-dlh])\S{9,10} \S+ +(\d+) \d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)? (.*)$/
/** What stands between the name of a link and its target. */
const SEPARATOR = { l: ' -> ', h: ' link to ' } as const
/** What tar and gzip say themselves; an entry begins with its type and rights. */
const MESSAGE = /^($|tar: |gzip: )/

type Runner = Pick<Processes, 'run'>

/**
 * Unpacks a .tar or .tar.gz into an empty folder, after a look at everything in it.
 * @throws AppError SOURCE_NOT_FOUND when it cannot be read, SOURCE_REFUSED when a name leads out of the folder, when it
 *   holds devices, or more than a source may hold.
 */
export async function unpackArchive(
  processes: Runner,
  archive: string,
  folder: string,
  options: FetchOptions,
): Promise<void> {
  await inspectArchive(processes, archive, options)
  const args = [
    '--extract',
    '--force-local',
    '--no-same-owner',
    '--no-same-permissions',
    '--directory',
    folder,
    '--file',
    archive,
  ]
  await runTar(processes, archive, tar(args), options.signal)
}

async function inspectArchive(processes: Runner, archive: string, options: FetchOptions): Promise<void> {
  const stop = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal
  const found: { problem?: string } = {}
  let entries = 0
  let bytes = 0
  const onLine = (line: string): void => {
    if (found.problem !== undefined || MESSAGE.test(line)) return
    const [, type = '', size = '0', name = ''] = LINE.exec(line) ?? []
    entries += 1
    bytes += Number(size)
    const path = type === 'l' || type === 'h' ? name.split(SEPARATOR[type], 1).join() : name
    if (type === '') found.problem = 'it holds something that is neither a file nor a folder nor a link'
    else if (path.startsWith('/') || path.split('/').includes('..'))
      found.problem = `"${path}" leads out of the folder it is unpacked in`
    else if (entries > MOST_ENTRIES) found.problem = `it holds more than ${MOST_ENTRIES} files`
    else if (bytes > MOST_BYTES) found.problem = `it holds more than ${formatBytes(MOST_BYTES)}`
    if (found.problem !== undefined) stop.abort()
  }
  const args = [
    '--list',
    '--verbose',
    '--absolute-names',
    '--numeric-owner',
    '--quoting-style=escape',
    '--force-local',
    '--file',
    archive,
  ]
  try {
    await runTar(processes, archive, { ...tar(args), onLine }, signal)
  } catch (error) {
    if (found.problem === undefined) throw error
  }
  if (found.problem !== undefined) {
    throw new AppError('SOURCE_REFUSED', {
      what: `The archive ${archive} cannot be used`,
      why: found.problem,
      next: 'Pack it anew from the folder of the application: "tar -czf app.tar.gz -C FOLDER ."',
    })
  }
}

function tar(args: readonly string[]): Command {
  return {
    file: 'tar',
    args,
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
    timeoutMs: 10 * MINUTE_MS,
  }
}

async function runTar(
  processes: Runner,
  archive: string,
  command: Command,
  signal: AbortSignal | undefined,
): Promise<void> {
  const result = await processes.run(command, signal)
  if (result.exitCode === 0) return
  throw new AppError('SOURCE_NOT_FOUND', {
    what: `The archive ${archive} cannot be read`,
    why: commandError(command, result).why,
    next: 'Check the path, and that "tar -tf" can list it',
  })
}
