import { numberOf, sendHtml, sendJson } from './answers.mjs'
import { entriesAfter, findEntry, findUpload, newestEntries, summary } from './entries.mjs'
import { entryView } from './entry-view.mjs'
import { html } from './html.mjs'
import { HttpError } from './http-error.mjs'
import { entriesPage } from './page.mjs'

const PAGE_SIZE = 20
const MAX_ID = Number.MAX_SAFE_INTEGER
/** Shown by a browser as what they are without running anything; all else is only to be saved. */
const SAFE_TYPES = new Set([
  'image/png',
  'image/jpeg',
  'image/gif',
  'image/webp',
  'text/plain',
  'application/pdf',
])

export async function showEntries({ app, response, url, visitor }, status = 200, { problem, sent } = {}) {
  const before = numberOf(url, 'before', MAX_ID, 1, MAX_ID)
  const [found, { keeper, ...counts }] = await Promise.all([
    newestEntries(app.pool, before, PAGE_SIZE + 1),
    summary(app.pool),
  ])
  const entries = found.slice(0, PAGE_SIZE)
  const page = entriesPage({
    title: app.settings.title,
    entries,
    newest: entries[0]?.id ?? 0,
    older: found.length > PAGE_SIZE ? entries.at(-1).id : undefined,
    isFirst: before === MAX_ID,
    visitor,
    counts,
    keeper,
    problem,
    sent,
  })
  sendHtml(response, status, page)
}

export async function showEntriesJson({ app, response, url }) {
  const entries = await entriesAfter(
    app.pool,
    numberOf(url, 'after', 0, 0, MAX_ID),
    numberOf(url, 'limit', 100, 1, 1000),
  )
  sendJson(response, 200, { entries: entries.map(({ author: _author, ...shown }) => shown) })
}

/** One entry: its JSON for a program, its article for the page's script. */
export async function showEntry({ app, request, response, params: [id], visitor }) {
  const entry = await findEntry(app.pool, Number(id))
  if (!entry) throw new HttpError(404, `There is no entry ${id}`)
  const { author: _author, ...shown } = entry
  if (request.headers.accept?.includes('application/json')) sendJson(response, 200, shown)
  else sendHtml(response, 200, html`${entryView(entry, visitor)}`)
}

export async function showCard({ app, response, params: [id] }) {
  const card = await app.cards.get(id, () => findEntry(app.pool, Number(id)))
  if (!card) throw new HttpError(404, `There is no entry ${id}`)
  response.writeHead(200, { 'content-type': 'image/svg+xml', 'cache-control': 'private, max-age=300' })
  response.end(card)
}

/** An uploaded file as an attachment that no browser runs, whatever its type was said to be. */
export async function downloadFile({ app, request, response, params: [id] }) {
  const file = await findUpload(app.pool, id)
  if (!file) throw new HttpError(404, `There is no file ${id}`)
  if (!(await app.store.has(file))) throw new HttpError(500, `The file ${id} is not on disk`)
  const type = SAFE_TYPES.has(file.mediaType) ? file.mediaType : 'application/octet-stream'
  response.writeHead(200, {
    'content-type': type,
    'content-length': file.size,
    'content-disposition': `attachment; filename*=UTF-8''${encodeName(file.fileName)}`,
    'content-security-policy': "sandbox; default-src 'none'",
    'cache-control': 'private, max-age=3600, immutable',
  })
  if (request.method === 'HEAD') response.end()
  else await app.store.send(file, response)
}

/** A file name by RFC 5987, without control characters and folders. */
function encodeName(name) {
  const plain = name.replace(/[\p{Cc}/\\]/gu, '_').toWellFormed()
  return encodeURIComponent(plain).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16)}`,
  )
}
