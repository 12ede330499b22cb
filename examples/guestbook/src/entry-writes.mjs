import { redirect, sendJson, wantsJson } from './answers.mjs'
import { readForm, readJson } from './body.mjs'
import { wasRefused } from './database.mjs'
import { addEntry, deleteEntry } from './entries.mjs'
import { showEntries } from './entry-reads.mjs'
import { HttpError } from './http-error.mjs'

const MAX_JSON_BYTES = 64 * 1024

/**
 * Takes an entry from a form or as JSON. It is acknowledged (303 or 201) when the row is committed, and a file is on
 * disk under its final name before that.
 */
export async function writeEntry(context) {
  const { app, request, response } = context
  const isJson = (request.headers['content-type'] ?? '').startsWith('application/json')
  const { fields, upload } = isJson
    ? { fields: await readJson(request, MAX_JSON_BYTES) }
    : await readForm(request, app.store)
  try {
    const checked = checkEntry(fields)
    const author = context.visitor ?? app.sessions.newVisitor()
    const id = await addEntry(app.pool, { ...checked, author, upload })
    response.setHeader('set-cookie', app.sessions.cookieFor(author))
    if (wantsJson(request)) sendJson(response, 201, { id })
    else redirect(response, `/#entry-${id}`)
  } catch (error) {
    const isRefused = error instanceof HttpError
    if (upload && (isRefused || wasRefused(error))) await app.store.remove(upload.file)
    if (!isRefused || wantsJson(request)) throw error
    await showEntries(context, error.status, { problem: error.message, sent: fields })
  }
}

/** Deletes an entry of the visitor who asks. */
export async function removeEntry({ app, request, response, params: [id], visitor }) {
  request.resume()
  const files = visitor && (await deleteEntry(app.pool, Number(id), visitor))
  if (!files) throw new HttpError(403, 'Only who wrote an entry can delete it, from the same browser')
  for (const file of files) await app.store.remove(file)
  if (request.method === 'DELETE') {
    response.writeHead(204)
    response.end()
  } else redirect(response, '/')
}

function checkEntry(fields) {
  const name = text(fields.name, 'Your name', 80)
  return { name, message: text(fields.message, 'The message', 2000) }
}

/** @throws HttpError 422 unless `value` has 1 to `most` characters that Postgres can store. */
function text(value, what, most) {
  const given = typeof value === 'string' ? value.trim().replaceAll('\r\n', '\n') : ''
  if (given === '') throw new HttpError(422, `${what} is missing`)
  if (Array.from(given).length > most) throw new HttpError(422, `${what} may have ${most} characters at most`)
  if (given.includes('\0')) throw new HttpError(422, `${what} has a character that cannot be stored`)
  return given
}
