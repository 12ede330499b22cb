import { createServer } from 'node:http'
import { sendHtml, sendJson, wantsJson } from './answers.mjs'
import { openCards } from './cards.mjs'
import { isUnavailable, openPool } from './database.mjs'
import { HttpError } from './http-error.mjs'
import { openLive } from './live.mjs'
import { releaseMigrations } from './migrations.mjs'
import { messagePage } from './page.mjs'
import { findRoute } from './router.mjs'
import { openSessions } from './session.mjs'
import { openStore } from './store.mjs'

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; " +
  "base-uri 'none'; frame-ancestors 'none'"
/** A long upload over a slow line is welcome; one that takes longer than this is not alive. */
const REQUEST_TIMEOUT_MS = 60 * 60 * 1000
/** What is still running this long after the first signal is cut off. */
const STOP_TIMEOUT_MS = 3_500

/** The whole application: `{server, stop}`; the server is not listening yet. */
export async function createApp(settings) {
  const pool = openPool(settings.databaseUrl)
  const app = {
    settings,
    pool,
    migrations: await releaseMigrations(),
    store: openStore(settings.filesFolder),
    cards: openCards(settings.cardsFolder),
    sessions: openSessions(settings.sessionKey, settings.publicUrl.startsWith('https:')),
    live: openLive(pool, settings.databaseUrl),
  }
  let stopping = false
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    if (stopping) response.setHeader('connection', 'close')
    response.on('finish', () => stopping && setImmediate(() => server.closeIdleConnections()))
    handle(app, request, response).catch((error) => answerError(request, response, error))
  })

  /** Takes no new requests, ends what is live, lets the others finish, and closes the database connections. */
  async function stop() {
    stopping = true
    const closed = new Promise((resolve) => server.close(resolve))
    const cut = setTimeout(() => server.closeAllConnections(), STOP_TIMEOUT_MS)
    await app.live.stop()
    await closed
    clearTimeout(cut)
    await pool.end()
  }
  return { server, stop }
}

async function handle(app, request, response) {
  response.setHeader('content-security-policy', POLICY)
  response.setHeader('x-content-type-options', 'nosniff')
  response.setHeader('referrer-policy', 'same-origin')
  const url = new URL(request.url, 'http://guestbook')
  const route = await findRoute(request.method, url.pathname)
  if (!route) throw new HttpError(404, 'There is nothing at this address')
  const site = request.headers['sec-fetch-site'] ?? 'none'
  if (request.method !== 'GET' && site !== 'same-origin' && site !== 'none') {
    throw new HttpError(403, 'Another site may not write into this guestbook')
  }
  const visitor = app.sessions.visitorOf(request.headers.cookie)
  await route.handle({ app, request, response, url, params: route.params, visitor })
}

function answerError(request, response, error) {
  const status = error instanceof HttpError ? error.status : isUnavailable(error) ? 503 : 500
  if (status >= 500) console.error(`${request.method} ${request.url}: ${error.stack ?? error}`)
  if (response.headersSent || response.destroyed) return void response.destroy()
  // What was not read of the body is not waited for.
  if (!request.complete) response.setHeader('connection', 'close')
  if (status === 503) response.setHeader('retry-after', '2')
  const reason =
    error instanceof HttpError
      ? error.message
      : status === 503
        ? 'The database does not answer at the moment; nothing was acknowledged'
        : 'Something went wrong; the log of the application says what'
  if (wantsJson(request)) sendJson(response, status, { error: reason, ...error.details })
  else sendHtml(response, status, messagePage('Guestbook', `Sorry (${status})`, reason))
}
