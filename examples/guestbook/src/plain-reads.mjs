import { readFile } from 'node:fs/promises'
import { numberOf, sendJson } from './answers.mjs'
import { healthOf } from './health.mjs'
import { release } from './release.mjs'

const TYPES = {
  'style.css': 'text/css; charset=utf-8',
  'live.js': 'text/javascript; charset=utf-8',
  'favicon.svg': 'image/svg+xml',
}

export async function health({ app, response }) {
  const state = await healthOf(app.pool, app.migrations)
  sendJson(response, state.ok ? 200 : 503, state)
}

/** The release, and the number of the newest migration it needs. */
export async function version({ app, response }) {
  sendJson(response, 200, { release, schema: app.migrations.at(-1).number })
}

/** New entries as server-sent events; `Last-Event-ID`, or `?after=` on the first connection, says where to go on. */
export async function listen({ app, request, response, url }) {
  const resumed = request.headers['last-event-id']
  const after = /^\d{1,15}$/.test(resumed ?? '')
    ? Number(resumed)
    : numberOf(url, 'after', undefined, 0, Number.MAX_SAFE_INTEGER)
  await app.live.serve(response, after)
}

export async function staticFile({ response, params: [name] }) {
  const bytes = await readFile(new URL(`../public/${name}`, import.meta.url))
  response.writeHead(200, { 'content-type': TYPES[name], 'cache-control': 'no-cache' })
  response.end(bytes)
}
