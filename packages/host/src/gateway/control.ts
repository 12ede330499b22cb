import { chmod, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { connect } from 'node:net'
import { AppError, messageOf, toAppError } from '@caretaker/kernel/errors.ts'
import { SECOND_MS } from '@caretaker/kernel/time.ts'
import { listenPrivately } from '../private-socket.ts'
import { MAX_CONFIG_BYTES } from './limits.ts'

/** Longest path of a unix socket (sun_path less its end, unix(7)). */
const MAX_SOCKET_PATH = 107
const REQUEST_TIMEOUT_MS = 10 * SECOND_MS

/** What can be asked over the control socket: `METHOD /path` to its action, which gets and gives JSON. */
export type ControlActions = Readonly<Record<string, (body: unknown) => unknown>>

/**
 * Serves the actions on a unix socket that only its owner can use (mode 0600, in a folder of mode 0700).
 * A socket left behind by a dead gateway is replaced.
 * @throws AppError STATE_IN_USE when a living gateway answers there, GATEWAY_START_FAILED when it cannot be made.
 */
export async function serveControl(path: string, actions: ControlActions): Promise<Server> {
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH) {
    throw failed(
      `the path of its control socket is longer than ${MAX_SOCKET_PATH} bytes: ${path}`,
      'Use a state folder with a shorter path',
    )
  }
  if (await answers(path)) {
    throw new AppError('STATE_IN_USE', {
      what: 'The gateway does not start',
      why: 'another gateway runs on this state folder',
      next: 'Run "caretaker status" to see it',
    })
  }
  await rm(path, { force: true })
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    void act(request, actions).then(({ status, value }) => {
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(`${JSON.stringify(value)}\n`)
    })
  })
  await listenPrivately(server, { path }).catch((error: unknown) => {
    throw failed(messageOf(error), 'Look at the permissions of the state folder', error)
  })
  await chmod(path, 0o600)
  return server
}

async function act(
  request: IncomingMessage,
  actions: ControlActions,
): Promise<{ status: number; value: unknown }> {
  try {
    const action = actions[`${request.method} ${request.url}`]
    const body = await readJson(request)
    if (!action) {
      throw new AppError('USAGE', {
        what: 'The gateway did not understand',
        why: `there is no ${request.method} ${request.url}`,
        next: 'Use the caretaker of the same version as the gateway; "caretaker up" replaces an old gateway',
      })
    }
    return { status: 200, value: (await action(body)) ?? {} }
  } catch (error) {
    return { status: 400, value: toAppError(error).toReport() }
  }
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_CONFIG_BYTES) throw notJson(`it is larger than ${MAX_CONFIG_BYTES} bytes`)
    chunks.push(chunk)
  }
  if (size === 0) return undefined
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown
  } catch (error) {
    throw notJson(messageOf(error))
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

function notJson(why: string): AppError {
  return new AppError('USAGE', {
    what: 'The gateway did not understand',
    why,
    next: 'Send one JSON value',
  })
}

function failed(why: string, next: string, cause?: unknown): AppError {
  return new AppError('GATEWAY_START_FAILED', {
    what: 'The gateway does not start',
    why,
    next,
    ...(cause === undefined ? {} : { cause }),
  })
}
