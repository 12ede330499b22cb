import { sendJson } from './answers.mjs'
import { readJson } from './body.mjs'
import { HttpError } from './http-error.mjs'
import { addNumber, listNumbers, verifyFiles } from './numbers.mjs'

const MAX_JSON_BYTES = 16 * 1024 * 1024

/** Takes `{n, body}` (body in base64). 200 says that its row and its file are durable, 409 that `n` was there. */
export async function writeNumber({ app, request, response }) {
  const { n, body } = await readJson(request, MAX_JSON_BYTES)
  if (!Number.isSafeInteger(n)) throw new HttpError(422, 'n is not a whole number')
  if (typeof body !== 'string' || !/^[A-Za-z0-9+/]*={0,2}$/.test(body))
    throw new HttpError(422, 'body is not base64')
  sendJson(response, 200, await addNumber(app.pool, app.store, n, Buffer.from(body, 'base64')))
}

export async function showNumbers({ app, response }) {
  sendJson(response, 200, { numbers: await listNumbers(app.pool) })
}

export async function verifyNumbers({ app, response }) {
  sendJson(response, 200, await verifyFiles(app.pool, app.store))
}
