import { resolve } from 'node:path'
import { AppError, type ErrorReport, toAppError } from '@caretaker/kernel/errors.ts'
import type { ExitCode } from '@caretaker/kernel/exit-codes.ts'
import { printable, printableDeep } from '@caretaker/kernel/printable.ts'
import { redact, redactDeep } from '@caretaker/kernel/secrets.ts'
import { COMMANDS } from '../commands/all.ts'
import { VERSION } from '../version.ts'
import type { Answer, Call, Places, Supervision } from './definition.ts'
import { type Invocation, parseCommandLine } from './program.ts'
import { createProgress, type ProgressMode } from './progress.ts'
import { renderError } from './render-error.ts'
import { createStyle } from './style.ts'

/** Everything the program gets from outside, so that nothing else reads the process. */
export interface World {
  readonly words: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
  readonly pid: number
  readonly user: string
  readonly workingFolder: string
  readonly defaultStateFolder: string
  readonly nodeBinary: string
  readonly mainFile: string
  readonly programsFolder: string
  readonly outgoing: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

/** Runs one command line to its end; gives the exit code. The answer goes to `stdout`, all else to `stderr`. */
export async function main(world: World): Promise<ExitCode> {
  const { stdout, stderr } = world
  const parsed = parseCommandLine(COMMANDS, VERSION, world.words, world.env)
  if (parsed.kind === 'text') {
    stdout.write(parsed.text)
    return 0
  }
  if (parsed.kind === 'error') {
    if (!parsed.asJson && parsed.help !== '') stderr.write(`${parsed.help}\n`)
    return fail(world, parsed.error, parsed.asJson)
  }
  const { invocation } = parsed
  const { definition } = invocation
  const asJson = invocation.options.json === true
  try {
    const answer = await run(world, invocation)
    // Through the daemon or not, a renderer gets the same.
    const data = JSON.parse(JSON.stringify(redactDeep(answer.data))) as never
    if (asJson) stdout.write(`${JSON.stringify(data, null, 2)}\n`)
    else {
      const text = definition.render(printableDeep(data), createStyle(stdout, world.env))
      if (text !== '') stdout.write(`${text}\n`)
      tell(world, definition.problems?.(data) ?? [])
    }
    return answer.exitCode ?? 0
  } catch (error) {
    return fail(world, error, asJson)
  }
}

function fail(world: World, error: unknown, asJson: boolean): ExitCode {
  const reported = toAppError(error)
  if (asJson) world.stdout.write(`${JSON.stringify({ error: reported.toReport() }, null, 2)}\n`)
  else tell(world, [reported.toReport()])
  if (reported.code === 'INTERNAL' && world.env.CARETAKER_DEBUG === '1' && error instanceof Error) {
    world.stderr.write(`${error.stack}\n`)
  }
  return reported.exitCode
}

function tell(world: World, problems: readonly ErrorReport[]): void {
  for (const problem of problems)
    world.stderr.write(`${renderError(problem, createStyle(world.stderr, world.env))}\n`)
}

async function run(world: World, { definition, arguments: words, options }: Invocation): Promise<Answer> {
  const places = placesOf(world, options)
  const asJson = options.json === true
  const mode = (options.progress ?? (asJson ? 'none' : 'auto')) as ProgressMode
  const emit = createProgress(mode, world.stderr, createStyle(world.stderr, world.env))
  const supervision = supervisionOf(world.env)
  const { createHost } = await import('@caretaker/host/host.ts')
  const { withBallast } = await import('@caretaker/ports/with-ballast.ts')
  const host = createHost()
  const call: Call = {
    ports: definition.ballast ? withBallast(host, places.stateFolder, definition.ballast) : host,
    places,
    actor: { user: world.user, via: 'command line' },
    pid: world.pid,
    workingFolder: world.workingFolder,
    arguments: words,
    options,
    emit,
    output: (line, from) => {
      if (asJson) return
      const shown = redact(line)
      // What goes into a file or to another program is what was written.
      world[from].write(`${world[from].isTTY ? printable(shown) : shown}\n`)
    },
    signal: world.signal,
    ...(supervision ? { supervision } : {}),
  }
  const state = await call.ports.files.stat(places.stateFolder)
  if (state && state.kind !== 'folder' && state.kind !== 'link') {
    throw usage(`the state folder ${places.stateFolder} is no folder`, 'Name a folder with --state')
  }
  if (definition.runs === 'daemon') {
    const answer = await viaDaemon(call, definition.name)
    if (answer) return answer
  }
  return definition.handler(call)
}

/** The answer of the daemon of this state folder; undefined when none runs. */
async function viaDaemon(call: Call, name: string): Promise<Answer | undefined> {
  const { runFolder } = await import('@caretaker/appliance/lifecycle/folders.ts')
  const { findDaemon, runRemotely } = await import('../daemon/client.ts')
  const run = runFolder(call.places.stateFolder, call.ports.machine.user().uid)
  const daemon = await findDaemon(call.ports, run)
  if (!daemon) return undefined
  const { configFile } = call.places
  if (configFile !== undefined && configFile !== daemon.config_file) {
    throw usage(
      `the daemon follows ${daemon.config_file ?? 'the config of its state folder'}, not ${configFile}`,
      'Leave --config and CARETAKER_CONFIG out, or start the daemon with the same; "caretaker up FILE" puts another config in force',
    )
  }
  const remote = {
    arguments: call.arguments,
    options: call.options,
    user: call.actor.user,
    working_folder: call.workingFolder,
  }
  return runRemotely(run, name, remote, call)
}

function supervisionOf(env: World['env']): Supervision | undefined {
  const { NOTIFY_SOCKET, WATCHDOG_USEC } = env
  if (!NOTIFY_SOCKET) return undefined
  const watchdogMs = Number(WATCHDOG_USEC) / 1000
  return { notifySocket: NOTIFY_SOCKET, watchdogMs: watchdogMs > 0 ? watchdogMs : undefined }
}

function placesOf(world: World, options: Invocation['options']): Places {
  const named = (name: 'state' | 'config') => {
    const value = options[name]
    if (typeof value !== 'string') return undefined
    if (value === '' || value.includes('\0')) throw usage(`--${name} names no path`, `Write --${name} PATH`)
    return resolve(world.workingFolder, value)
  }
  return {
    stateFolder: named('state') ?? world.defaultStateFolder,
    configFile: named('config'),
    programs: {
      node: world.nodeBinary,
      main: world.mainFile,
      folder: world.programsFolder,
      version: VERSION,
      outgoing: world.outgoing,
    },
  }
}

const usage = (why: string, next: string) => new AppError('USAGE', { what: 'Nothing was done', why, next })
