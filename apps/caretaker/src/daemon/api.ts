import { PassThrough } from 'node:stream'
import { apiSocket } from '@caretaker/appliance/lifecycle/folders.ts'
import { jsonAnswer, type ServedAnswer, type ServedRequest, serveHttp } from '@caretaker/host/http-server.ts'
import { AppError, toAppError } from '@caretaker/kernel/errors.ts'
import { redactDeep } from '@caretaker/kernel/secrets.ts'
import { withBallast } from '@caretaker/ports/with-ballast.ts'
import { COMMANDS } from '../commands/all.ts'
import type { DaemonInfo, RemoteLine } from './client.ts'
import type { DaemonOptions } from './daemon.ts'
import type { DaemonLog } from './daemon-log.ts'
import type { Keeper } from './keeper.ts'
import type { PageServer } from './page-server.ts'
import { parseRemoteCall } from './remote-call.ts'

/** Largest command. */
const BODY_LIMIT_BYTES = 256 * 1024

/** Commands that look or run beside others; every other one has the appliance to itself. */
const SHARED = new Set(['app exec'])

/** Commands by which a person says what is up of the whole appliance. */
const DECIDING = new Set(['up', 'down', 'service on', 'service off'])

/** Serves the local API on the unix socket of the run folder: for the user that runs the daemon, nobody else. */
export async function serveApi(
  run: string,
  options: DaemonOptions,
  keeper: Keeper,
  page: PageServer,
  log: DaemonLog,
): Promise<AsyncDisposable> {
  const { around, places } = options
  const socket = apiSocket(run)
  const startedAt = around.ports.clock.now().toISOString()
  // Nobody listens there any more: this process holds the lock of the daemon.
  await around.ports.files.remove(socket)
  const command = (name: string, request: ServedRequest): ServedAnswer => {
    const definition = COMMANDS.find((entry) => entry.name === name && entry.runs === 'daemon')
    if (!definition) return jsonAnswer(404, { error: unknownCommand(name).toReport() })
    const call = parseRemoteCall(request.body)
    const stream = new PassThrough()
    const send = (line: RemoteLine) => void stream.write(`${JSON.stringify(redactDeep(line))}\n`)
    const work = () =>
      definition.handler({
        ports: definition.ballast
          ? withBallast(around.ports, places.stateFolder, definition.ballast)
          : around.ports,
        places,
        actor: { user: call.user, via: 'command line through the daemon' },
        pid: around.pid,
        workingFolder: call.working_folder,
        arguments: call.arguments,
        options: call.options,
        emit: (event) => send({ type: 'event', event }),
        output: (line, from) => send({ type: 'output', line, from }),
        signal: AbortSignal.any([request.gone, options.signal]),
      })
    const running = SHARED.has(definition.name)
      ? keeper.beside(work)
      : definition.name === 'job run'
        ? keeper.job(work)
        : keeper.command(work, { decides: DECIDING.has(name) && call.options.dryRun !== true })
    running
      .then(
        (answer) => send({ type: 'answer', data: answer.data, exit_code: answer.exitCode ?? 0 }),
        (error: unknown) => send({ type: 'error', error: toAppError(error).toReport() }),
      )
      .finally(() => stream.end())
      .catch((error: unknown) => log.error('a command could not be answered', toAppError(error).toReport()))
    return { status: 200, headers: { 'content-type': 'application/jsonl' }, body: stream }
  }
  const server = await serveHttp({
    at: { path: socket },
    bodyLimitBytes: BODY_LIMIT_BYTES,
    answer(request) {
      const asked = `${request.method} ${request.path}`
      if (asked === 'GET /v1/daemon') {
        return jsonAnswer(200, {
          pid: around.pid,
          version: around.programs.version,
          started_at: startedAt,
          config_file: options.configFile ?? null,
        } satisfies DaemonInfo)
      }
      if (asked === 'POST /v1/page-link') return jsonAnswer(200, { url: page.link() })
      const name = /^POST \/v1\/commands\/([a-z%0-9-]+)$/.exec(asked)?.[1]
      return name === undefined
        ? jsonAnswer(404, { error: unknownCommand(asked).toReport() })
        : command(name.replaceAll('%20', ' '), request)
    },
  })
  await around.ports.files.setMode(socket, 0o600)
  return server
}

function unknownCommand(name: string): AppError {
  return new AppError('USAGE', {
    what: 'The daemon did nothing',
    why: `it knows no command "${name}"`,
    next: 'The command line and the daemon may be of different versions: restart the daemon',
  })
}
