import { redirect, sendJson, wantsJson } from './answers.mjs'
import { HttpError } from './http-error.mjs'

/** Applauds an entry, once per visitor. */
export async function applaud({ app, request, response, params: [id], visitor }) {
  request.resume()
  const author = visitor ?? app.sessions.newVisitor()
  const { rows } = await app.pool.query('select 1 from entries where id = $1', [Number(id)])
  if (rows.length === 0) throw new HttpError(404, `There is no entry ${id}`)
  await app.pool.query('insert into applause (entry_id, author) values ($1, $2) on conflict do nothing', [
    Number(id),
    author,
  ])
  response.setHeader('set-cookie', app.sessions.cookieFor(author))
  if (wantsJson(request)) sendJson(response, 200, { id: Number(id) })
  else redirect(response, `/#entry-${id}`)
}
