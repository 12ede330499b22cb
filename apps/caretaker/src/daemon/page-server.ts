import { randomBytes, timingSafeEqual } from 'node:crypto'
import { AppError } from '@caretaker/kernel/errors.ts'
import { hashOf } from '@caretaker/kernel/json.ts'
import { redactDeep } from '@caretaker/kernel/secrets.ts'
import { MINUTE_MS } from '@caretaker/kernel/time.ts'
import { listOperations } from '@caretaker/steps/operations.ts'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { reportState } from '../cli/report-state.ts'
import type { DaemonOptions } from './daemon.ts'
import type { Keeper } from './keeper.ts'
import { renderStatePage, STATE_PAGE_CSS } from './state-page.ts'

/** How long a link opens the page. */
const LINK_LIFE_MS = 10 * MINUTE_MS
const SESSION_COOKIE = 'caretaker_session'
/** Operations shown on the page. */
const SHOWN_OPERATIONS = 10

export interface PageServer extends AsyncDisposable {
  /** A link that opens the page in one browser, once. */
  link(): string
}

/**
 * The state page: for a browser on this machine, on the loopback address only. A link from the command line opens a
 * session; without one nothing is shown. Other names than loopback ones are refused, so that no web page of elsewhere
 * can reach it by rebinding its name.
 */
export async function servePage(options: DaemonOptions, keeper: Keeper): Promise<PageServer> {
  const { clock } = options.around.ports
  const tokens = new Map<string, number>()
  const sessions = new Set<string>()
  const server = Fastify({ bodyLimit: 1024, forceCloseConnections: true, logger: false })
  const port = () => {
    const address = server.addresses()[0]
    return typeof address === 'object' ? address.port : 0
  }

  server.addHook('onRequest', async (request, reply) => {
    reply.headers(SAFETY_HEADERS)
    const allowed = [`127.0.0.1:${port()}`, `localhost:${port()}`, `[::1]:${port()}`]
    if (!allowed.includes(request.headers.host ?? ''))
      await refuse(reply, 421, 'This page is for this machine only.')
  })
  server.get<{ Querystring: { token?: string } }>('/open', async (request, reply) => {
    const { token = '' } = request.query
    const expires = take(tokens, token)
    if (expires === undefined || expires < clock.monotonicMs()) {
      return refuse(
        reply,
        403,
        'This link was used already or is too old. Type "caretaker page" for a new one.',
      )
    }
    const session = randomBytes(32).toString('base64url')
    sessions.add(session)
    reply.header('set-cookie', `${SESSION_COOKIE}=${session}; Path=/; HttpOnly; SameSite=Strict`)
    return reply.redirect('/')
  })
  server.get('/state.css', async (_request, reply) =>
    reply.type('text/css; charset=utf-8').send(STATE_PAGE_CSS),
  )
  server.get('/', async (request, reply) => {
    if (!hasSession(request, sessions)) {
      return refuse(reply, 403, 'Open this page with the link that "caretaker page" prints.')
    }
    const page = await currentPage(options, keeper)
    return reply.type('text/html; charset=utf-8').send(page)
  })
  server.get('/state.json', async (request, reply) => {
    if (!hasSession(request, sessions)) return reply.status(403).send({ error: 'no session' })
    return redactDeep(await currentState(options, keeper))
  })
  await listen(server, options.pagePort)
  return {
    link() {
      const token = randomBytes(32).toString('base64url')
      tokens.set(token, clock.monotonicMs() + LINK_LIFE_MS)
      return `http://127.0.0.1:${port()}/open?token=${token}`
    },
    [Symbol.asyncDispose]: () => server.close(),
  }
}

async function listen(server: FastifyInstance, port: number): Promise<void> {
  try {
    await server.listen({ host: '127.0.0.1', port })
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code !== 'EADDRINUSE' && code !== 'EACCES') throw cause
    throw new AppError(code === 'EACCES' ? 'NO_PERMISSION' : 'PORT_IN_USE', {
      what: 'The daemon was not started',
      why:
        code === 'EACCES'
          ? `only root may take port ${port}`
          : `port ${port} of 127.0.0.1 is taken by another program`,
      next: 'Name another port for the state page with --page-port, or leave it out',
      cause,
    })
  }
}

function currentState(options: DaemonOptions, keeper: Keeper) {
  return reportState(options.around, () => keeper.inForce(), options.around.pid)
}

async function currentPage(options: DaemonOptions, keeper: Keeper): Promise<string> {
  const { ports, stateFolder } = options.around
  const operations = await listOperations(ports.files, stateFolder)
  return renderStatePage(
    await currentState(options, keeper),
    operations.slice(0, SHOWN_OPERATIONS),
    ports.clock.now(),
  )
}

const SAFETY_HEADERS = {
  'content-security-policy':
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
} as const

function refuse(reply: FastifyReply, code: number, text: string) {
  return reply.status(code).type('text/plain; charset=utf-8').send(`${text}\n`)
}

function hasSession(request: FastifyRequest, sessions: ReadonlySet<string>): boolean {
  const cookies = (request.headers.cookie ?? '').split(';').map((part) => part.trim())
  const value = cookies
    .find((part) => part.startsWith(`${SESSION_COOKIE}=`))
    ?.slice(SESSION_COOKIE.length + 1)
  return value !== undefined && [...sessions].some((session) => isSame(session, value))
}

/** Compares in constant time, over hashes so that lengths are the same. */
function isSame(a: string, b: string): boolean {
  return timingSafeEqual(Buffer.from(hashOf(a)), Buffer.from(hashOf(b)))
}

function take(tokens: Map<string, number>, token: string): number | undefined {
  const expires = tokens.get(token)
  tokens.delete(token)
  return expires
}
