import { resolve } from 'node:path'
import { AppError, toAppError } from '@caretaker/kernel/errors.ts'
import type { ExitCode } from '@caretaker/kernel/exit-codes.ts'
import { redactDeep } from '@caretaker/kernel/secrets.ts'
import { COMMANDS } from '../commands/all.ts'
import { VERSION } from '../version.ts'
import type { Answer, Call, Places } from './definition.ts'
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
  readonly stdin: NodeJS.ReadStream
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

/** Runs one command line to its end; gives the exit code. */
export async function main(world: World): Promise<ExitCode> {
  const parsed = parseCommandLine(COMMANDS, VERSION, world.words, world.env)
  if (parsed.kind === 'text') {
    world.stdout.write(parsed.stdout)
    world.stderr.write(parsed.stderr)
    return parsed.exitCode
  }
  const { invocation } = parsed
  const asJson = invocation.options.json === true
  try {
    const answer = await run(world, invocation)
    if (asJson) world.stdout.write(`${JSON.stringify(redactDeep(answer.data), null, 2)}\n`)
    else {
      const text = invocation.definition.render(answer.data as never, createStyle(world.stdout))
      if (text !== '') world.stdout.write(`${text}\n`)
    }
    return answer.exitCode ?? 0
  } catch (error) {
    const reported = toAppError(error)
    if (asJson) world.stdout.write(`${JSON.stringify({ error: reported.toReport() }, null, 2)}\n`)
    else world.stderr.write(`${renderError(reported.toReport(), createStyle(world.stderr))}\n`)
    if (reported.code === 'INTERNAL' && world.env.CARETAKER_DEBUG === '1' && error instanceof Error) {
      world.stderr.write(`${error.stack}\n`)
    }
    return reported.exitCode
  }
}

async function run(world: World, { definition, arguments: words, options }: Invocation): Promise<Answer> {
  const places = placesOf(world, options)
  const mode = (
    options.json === true && options.progress === 'auto' ? 'none' : options.progress
  ) as ProgressMode
  const emit = createProgress(mode, world.stderr, createStyle(world.stderr))
  const { createHost } = await import('@caretaker/host/host.ts')
  const call: Call = {
    ports: createHost(),
    places,
    actor: { user: world.user, via: 'command line' },
    pid: world.pid,
    workingFolder: world.workingFolder,
    arguments: words,
    options,
    world,
    emit,
    signal: world.signal,
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
  if (!(await findDaemon(call.ports, run))) return undefined
  const remote = {
    arguments: call.arguments,
    options: call.options,
    user: call.actor.user,
    working_folder: call.workingFolder,
  }
  return runRemotely(run, name, remote, call.emit, call.signal)
}

function placesOf(world: World, options: Invocation['options']): Places {
  const state = typeof options.state === 'string' ? options.state : world.defaultStateFolder
  const config = typeof options.config === 'string' ? options.config : undefined
  if (state === '') {
    throw new AppError('USAGE', { what: 'Nothing was done', why: '--state is empty', next: 'Name a folder' })
  }
  return {
    stateFolder: resolve(world.workingFolder, state),
    configFile: config === undefined ? undefined : resolve(world.workingFolder, config),
    programs: {
      node: world.nodeBinary,
      main: world.mainFile,
      folder: world.programsFolder,
      version: VERSION,
      outgoing: world.outgoing,
    },
  }
}
