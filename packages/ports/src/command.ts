import { AppError } from '@caretaker/kernel/errors.ts'
import { redact } from '@caretaker/kernel/secrets.ts'
import { formatDuration } from '@caretaker/kernel/time.ts'
import type { Command, CommandResult, Processes } from './process.ts'

/**
 * Runs a command that must succeed.
 * @throws AppError COMMAND_FAILED, COMMAND_TIMEOUT or DISK_FULL, with the last lines the program wrote to standard error.
 */
export async function runToSuccess(
  processes: Pick<Processes, 'run'>,
  command: Command,
  signal?: AbortSignal,
): Promise<CommandResult> {
  const result = await processes.run(command, signal)
  if (result.exitCode === 0) return result
  throw commandError(command, result)
}

/** The error for a result that is not a success. */
export function commandError(command: Command, result: CommandResult): AppError {
  const shown = redact([command.file, ...command.args].join(' '))
  const lines = lastLines(result.stderr.trim() === '' ? result.stdout : result.stderr, 5)
  if (result.timedOut) {
    return new AppError('COMMAND_TIMEOUT', {
      what: `"${shown}" was ended`,
      why: `it did not finish within ${formatDuration(command.timeoutMs ?? 0)}${lines === '' ? '' : `; it last said: ${lines}`}`,
      next: 'Look at what it waits for, then repeat the command',
    })
  }
  if (saysDiskFull(lines)) {
    return new AppError('DISK_FULL', {
      what: `"${shown}" failed`,
      why: `no space was left for what it writes: ${lines}`,
      next: 'Free space on that file system ("df -h" shows which is full), then repeat the command',
    })
  }
  const ending = result.signal ? `was ended by ${result.signal}` : `ended with exit code ${result.exitCode}`
  return new AppError('COMMAND_FAILED', {
    what: `"${shown}" failed`,
    why: `it ${ending}${lines === '' ? ' and said nothing' : `: ${lines}`}`,
    next: 'Correct what it complains about, then repeat the command',
  })
}

/** Whether a program complains about a full disk: strerror(3) of ENOSPC and EDQUOT in the C locale. */
export function saysDiskFull(text: string): boolean {
  return /No space left on device|Disk quota exceeded|\bENOSPC\b|\bEDQUOT\b/.test(text)
}

/**
 * The last `count` lines that say something, in one line. What is said again is told once, where it was said last: also
 * when only the time or the process before it differs.
 */
export function lastLines(text: string, count: number): string {
  const told = new Map<string, string>()
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  for (const line of lines.slice(-count * LOOKED_AT).reverse()) {
    const said = line.replaceAll(TIME_OR_PROCESS, '').trim()
    if (told.size < count && !told.has(said)) told.set(said, line.trim())
  }
  return [...told.values()].reverse().join(' | ')
}

/** How many times as many lines {@link lastLines} looks at: what is older has nothing to do with the end. */
export const LOOKED_AT = 4
/** Dates, times with their zone, and ids of processes, as logs have them. */
const TIME_OR_PROCESS =
  /\d{4}-\d\d-\d\d|\d\d:\d\d:\d\d([.,]\d+)?( ?(Z|[A-Z]{3,4}|[+-]\d\d:?\d\d)(?![A-Za-z:]))?|\[\d+\]/g
