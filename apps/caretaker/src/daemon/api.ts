import { PassThrough } from 'node:stream'
import { apiSocket } from '@caretaker/appliance/lifecycle/folders.ts'
import { AppError, toAppError } from '@caretaker/kernel/errors.ts'
import { redactDeep } from '@caretaker/kernel/secrets.ts'
import Fastify from 'fastify'
import { COMMANDS } from '../commands/all.ts'
import type { RemoteCall, RemoteLine } from './client.ts'
import type { DaemonOptions } from './daemon.ts'
import type { DaemonLog } from './daemon-log.ts'
import type { Keeper } from './keeper.ts'
import type { PageServer } from './page-server.ts'

/** Largest command, in bytes. */
const BODY_LIMIT = 256 * 1024

/** Commands that look or run beside others; every other one has the appliance to itself. */
const SHARED = new Set(['app exec'])

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
  const server = Fastify({ bodyLimit: BODY_LIMIT, forceCloseConnections: true, logger: false })
  server.get('/v1/daemon', async () => ({
    pid: around.pid,
    version: around.programs.version,
    started_at: startedAt,
    config_file: options.configFile ?? null,
  }))
  server.post('/v1/page-link', async () => ({ url: page.link() }))
  server.post<{ Params: { name: string }; Body: RemoteCall }>(
    '/v1/commands/:name',
    { schema: { body: CALL_SCHEMA } },
    async (request, reply) => {
      const definition = COMMANDS.find(
        (entry) => entry.name === request.params.name && entry.runs === 'daemon',
      )
      if (!definition) {
        return reply.status(404).send({ error: unknownCommand(request.params.name).toReport() })
      }
      const gone = new AbortController()
      const stream = new PassThrough()
      const send = (line: RemoteLine) => void stream.write(`${JSON.stringify(redactDeep(line))}\n`)
      reply.raw.on('close', () => gone.abort())
      const { body } = request
      const work = () =>
        definition.handler({
          ports: around.ports,
          places,
          actor: { user: body.user, via: 'command line through the daemon' },
          pid: around.pid,
          workingFolder: body.working_folder,
          arguments: body.arguments,
          options: body.options,
          emit: (event) => send({ type: 'event', event }),
          output: (line, from) => send({ type: 'output', line, from }),
          signal: AbortSignal.any([gone.signal, options.signal]),
        })
      const running = SHARED.has(definition.name)
        ? keeper.beside(work)
        : keeper.command(work, { decides: body.options.dryRun !== true })
      running
        .then(
          (answer) => send({ type: 'answer', data: answer.data, exit_code: answer.exitCode ?? 0 }),
          (error: unknown) => send({ type: 'error', error: toAppError(error).toReport() }),
        )
        .finally(() => stream.end())
        .catch((error: unknown) => log.error('a command could not be answered', toAppError(error).toReport()))
      return reply.type('application/jsonl').send(stream)
    },
  )
  await server.listen({ path: socket })
  await around.ports.files.setMode(socket, 0o600)
  return { [Symbol.asyncDispose]: () => server.close() }
}

const CALL_SCHEMA = {
  type: 'object',
  required: ['arguments', 'options', 'user', 'working_folder'],
  properties: {
    arguments: { type: 'array', items: { type: 'string' }, maxItems: 1000 },
    options: { type: 'object' },
    user: { type: 'string', maxLength: 200 },
    working_folder: { type: 'string', maxLength: 4096 },
  },
} as const

function unknownCommand(name: string): AppError {
  return new AppError('USAGE', {
    what: 'The daemon did nothing',
    why: `it knows no command "${name}"`,
    next: 'The command line and the daemon may be of different versions: restart the daemon',
  })
}
