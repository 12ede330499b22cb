import { randomBytes, timingSafeEqual } from 'node:crypto'
import {
  type HttpServer,
  type HttpServerOptions,
  jsonAnswer,
  type ServedAnswer,
  type ServedRequest,
  serveHttp,
} from '@caretaker/host/http-server.ts'
import { AppError } from '@caretaker/kernel/errors.ts'
import { hashOf } from '@caretaker/kernel/json.ts'
import { redactDeep } from '@caretaker/kernel/secrets.ts'
import { HOUR_MS, MINUTE_MS } from '@caretaker/kernel/time.ts'
import { listOperations } from '@caretaker/steps/operations.ts'
import { reportState } from '../cli/report-state.ts'
import type { DaemonOptions } from './daemon.ts'
import type { Keeper } from './keeper.ts'
import { renderStatePage, STATE_PAGE_CSS } from './state-page.ts'

/** How long a link opens the page. */
const LINK_LIFE_MS = 10 * MINUTE_MS
/** How long a browser that has opened it sees it: a working day. */
const SESSION_LIFE_MS = 12 * HOUR_MS
const BODY_LIMIT_BYTES = 1024
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
  const sessions = new Map<string, number>()
  const cookieName = sessionCookie(options.around.stateFolder)
  const pages: Readonly<Record<string, (request: ServedRequest) => ServedAnswer | Promise<ServedAnswer>>> = {
    '/open': ({ query }) => {
      forgetExpired(tokens, clock.monotonicMs())
      if (!tokens.delete(query.get('token') ?? '')) {
        return refused(403, 'This link was used already or is too old. Type "caretaker page" for a new one.')
      }
      const session = randomBytes(32).toString('base64url')
      sessions.set(session, clock.monotonicMs() + SESSION_LIFE_MS)
      const cookie = `${cookieName}=${session}; Path=/; HttpOnly; SameSite=Strict`
      return { status: 302, headers: { 'set-cookie': cookie, location: '/' }, body: '' }
    },
    '/state.css': () => textAnswer(200, 'text/css', STATE_PAGE_CSS),
    '/': async (request) =>
      hasSession(request, cookieName, sessions)
        ? textAnswer(200, 'text/html', await currentPage(options, keeper))
        : refused(403, 'Open this page with the link that "caretaker page" prints.'),
    '/state.json': async (request) => {
      if (!hasSession(request, cookieName, sessions)) return jsonAnswer(403, { error: 'no session' })
      return jsonAnswer(200, redactDeep(await currentState(options, keeper)))
    },
  }
  const answer = async (request: ServedRequest): Promise<ServedAnswer> => {
    forgetExpired(sessions, clock.monotonicMs())
    const { port } = server
    const allowed = [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`]
    if (!allowed.includes(request.headers.host ?? ''))
      return refused(421, 'This page is for this machine only.')
    const page = Object.hasOwn(pages, request.path) ? pages[request.path] : undefined
    if (!page || request.method !== 'GET') return refused(404, 'There is no such page.')
    return page(request)
  }
  const server = await listen(options.pagePort, async (request) => {
    const answered = await answer(request)
    return { ...answered, headers: { ...SAFETY_HEADERS, ...answered.headers } }
  })
  return {
    link() {
      const token = randomBytes(32).toString('base64url')
      forgetExpired(tokens, clock.monotonicMs())
      tokens.set(token, clock.monotonicMs() + LINK_LIFE_MS)
      return `http://127.0.0.1:${server.port}/open?token=${token}`
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

async function listen(port: number, answer: HttpServerOptions['answer']): Promise<HttpServer> {
  try {
    return await serveHttp({ at: { host: '127.0.0.1', port }, bodyLimitBytes: BODY_LIMIT_BYTES, answer })
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

function refused(status: number, text: string): ServedAnswer {
  return textAnswer(status, 'text/plain', `${text}\n`)
}

function textAnswer(status: number, type: string, body: string): ServedAnswer {
  return { status, headers: { 'content-type': `${type}; charset=utf-8` }, body }
}

/**
 * A browser sends a cookie to every port of its host (RFC 6265, 8.5): each appliance of this machine has a name of its
 * own, so that opening the page of one ends no session of another.
 */
function sessionCookie(stateFolder: string): string {
  return `caretaker_session_${hashOf(stateFolder).slice(0, 12)}`
}

function hasSession(
  request: ServedRequest,
  cookieName: string,
  sessions: ReadonlyMap<string, number>,
): boolean {
  const cookies = (request.headers.cookie ?? '').split(';').map((part) => part.trim())
  const value = cookies.find((part) => part.startsWith(`${cookieName}=`))?.slice(cookieName.length + 1)
  return value !== undefined && [...sessions.keys()].some((session) => isSame(session, value))
}

/** Compares in constant time, over hashes so that lengths are the same. */
function isSame(a: string, b: string): boolean {
  return timingSafeEqual(Buffer.from(hashOf(a)), Buffer.from(hashOf(b)))
}

/** Drops what was good until before `nowMs` of the monotonic clock. */
function forgetExpired(known: Map<string, number>, nowMs: number): void {
  for (const [secret, goodUntilMs] of known) if (goodUntilMs < nowMs) known.delete(secret)
}
