import { formatDuration } from '@caretaker/kernel/time.ts'
import { lastLines } from '@caretaker/ports/command.ts'
import type { Command, CommandResult } from '@caretaker/ports/process.ts'
import type { Service } from '../application/application.ts'
import type { Slot } from '../runtime/runtime.ts'
import { readAppRecord } from './app-records.ts'
import { loadRelease } from './app-release.ts'
import { writeSecretFiles } from './app-secrets.ts'
import type { Appliance } from './appliance.ts'
import { serviceSpec } from './service-specs.ts'

/** Runs a command of a prepared release with the environment and the folders of one of its services. */
export async function runInService(
  appliance: Appliance,
  app: string,
  releaseId: string,
  service: Service,
  command: readonly string[],
  options: {
    readonly timeoutMs: number
    readonly onLine?: NonNullable<Command['onLine']>
    readonly env?: Readonly<Record<string, string>>
    /** Whose network and addresses it has; absent: those of the release that runs. */
    readonly slot?: Slot
  },
  signal: AbortSignal,
): Promise<CommandResult> {
  const loaded = await loadRelease(appliance, app, releaseId)
  const record = await readAppRecord(appliance.ports.files, appliance.folders.apps, app)
  await writeSecretFiles(appliance, loaded.application)
  const spec = await serviceSpec(appliance, loaded, record, service, options.slot)
  const withExtra = options.env ? { ...spec, env: { ...spec.env, ...options.env } } : spec
  return appliance.runtime.runOnce(withExtra, command, options, signal)
}

/** A program that stands in the command itself is longer than a person wants to read in a sentence. */
const SHOWN_LENGTH = 80

/** A command as it is named in a sentence: in quotes, in one line. */
export function quotedCommand(command: readonly string[]): string {
  const text = command.join(' ').replaceAll(/\s+/g, ' ')
  return `"${text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH - 1)}…` : text}"`
}

/** What Node adds when it has no memory left: before that stands why it ended. */
const NATIVE_STACK = /^(-* Native stack trace -*|\s*\d+: 0x[\da-f]+ .*)$/gm

/** Lines of a stack, as of Node and Java: where it happened. */
const STACK_LINE = /^\s+at \S/
/** What Node says around an error besides: which build it is, and a mark below the source. */
const AROUND_ERROR = /^(Node\.js v\d.*|\s*\^+\s*)$/
/** Lines that are looked at for an error, from the end. */
const LOOKED_AT = 400
/** Errors whose first line is told: the last one and what caused it. */
const ERRORS_TOLD = 2

/** What a program said last, in one line: with the message of its error, which stands before the stack, and without that. */
function lastWordsOf(output: string): string {
  const lines = output.split('\n').slice(-LOOKED_AT)
  const isStack = (line: string | undefined) => line !== undefined && STACK_LINE.test(line)
  const messages = lines.filter((line, at) => !isStack(line) && isStack(lines[at + 1]))
  const end = lastLines(lines.filter((line) => !isStack(line) && !AROUND_ERROR.test(line)).join('\n'), 4)
  const before = messages
    .slice(-ERRORS_TOLD)
    .map((line) => line.trim())
    .filter((line) => !end.includes(line))
  return [...before, end].filter((part) => part !== '').join(' | ')
}

/** How a command ended and what it said last, as the end of a sentence. `timeoutMs`: how long it might take. */
export function commandTail(result: CommandResult, timeoutMs?: number): string {
  const stderr = result.stderr.replaceAll(NATIVE_STACK, '').trim()
  const said = lastWordsOf(stderr === '' ? result.stdout : stderr)
  const limit = timeoutMs === undefined ? '' : ` of ${formatDuration(timeoutMs)}`
  const ending = result.timedOut
    ? `did not end in its time${limit} and was stopped`
    : result.signal === undefined
      ? `ended with ${result.exitCode}`
      : `was ended by ${result.signal}`
  return said === '' ? `${ending} and said nothing` : `${ending}: ${said}`
}
