import { inTransaction, isDuplicate } from './database.mjs'
import { HttpError } from './http-error.mjs'

/** Held while an entry is inserted, so that ids become visible in their order and no live reader misses one. */
const ORDER_LOCK = 7_214_002
/** The channel new entries are announced on; the payload is the id. */
export const CHANNEL = 'guestbook_entries'

const SELECT = `
  select e.id::int8 as id, e.name, e.body as message, e.author, e.created_at,
    coalesce((select json_agg(json_build_object('id', u.id, 'fileName', u.file_name,
      'size', u.size, 'sha256', u.sha256)) from uploads u where u.entry_id = e.id), '[]') as files,
    (select count(*)::int from applause a where a.entry_id = e.id) as applause
  from entries e`

/**
 * Stores an entry and the row of its upload, if any. It is durable when this returns its id.
 * @throws HttpError 409 if this visitor has written already.
 */
export async function addEntry(pool, { name, message, author, upload }) {
  return inTransaction(pool, async (client) => {
    await client.query('select pg_advisory_xact_lock($1)', [ORDER_LOCK])
    const { rows } = await client.query(
      'insert into entries (name, body, author, name_key) values ($1, $2, $3, lower($1)) returning id',
      [name, message, author],
    )
    const id = Number(rows[0].id)
    if (upload) {
      const { file, fileName } = upload
      await client.query(
        'insert into uploads (id, entry_id, file_name, size, sha256) values ($1, $2, $3, $4, $5)',
        [file.id, id, fileName, file.size, file.sha256],
      )
    }
    await client.query('select pg_notify($1, $2)', [CHANNEL, String(id)])
    return id
  }).catch((error) => {
    if (isDuplicate(error)) throw new HttpError(409, `${name} has signed this guestbook already`)
    throw error
  })
}

/** The newest entries below id `before`, newest first; with `visitor`, only those by that name. */
export async function newestEntries(pool, before, limit, visitor) {
  const { rows } = visitor
    ? await pool.query(`${SELECT} where e.id < $1 and e.name_key = lower($3) order by e.id desc limit $2`, [
        before,
        limit,
        visitor,
      ])
    : await pool.query(`${SELECT} where e.id < $1 order by e.id desc limit $2`, [before, limit])
  return rows.map(toEntry)
}

/** Entries above id `after`, oldest first. */
export async function entriesAfter(pool, after, limit) {
  const { rows } = await pool.query(`${SELECT} where e.id > $1 order by e.id limit $2`, [after, limit])
  return rows.map(toEntry)
}

export async function findEntry(pool, id) {
  const { rows } = await pool.query(`${SELECT} where e.id = $1`, [id])
  return rows[0] && toEntry(rows[0])
}

/** Deletes an entry of this author. Returns its files, which are to be removed, or undefined if there is none. */
export function deleteEntry(pool, id, author) {
  return inTransaction(pool, async (client) => {
    const files = await client.query(
      'select u.id, u.sha256 from uploads u join entries e on e.id = u.entry_id where e.id = $1 and e.author = $2',
      [id, author],
    )
    const { rowCount } = await client.query('delete from entries where id = $1 and author = $2', [id, author])
    return rowCount === 1 ? files.rows : undefined
  })
}

/** The row of one upload, or undefined. */
export async function findUpload(pool, id) {
  const { rows } = await pool.query(
    'select id, file_name as "fileName", size::float8 as size, sha256 from uploads where id = $1',
    [id],
  )
  return rows[0]
}

/** How much there is, and the name of the person who keeps the guestbook. */
export async function summary(pool) {
  const { rows } = await pool.query(
    `select (select count(*)::int from entries) as entries, (select count(distinct name_key)::int from entries) as names,
       (select count(*)::int from uploads) as uploads, (select count(*)::int from numbers) as numbers,
       (select first_name || ' ' || last_name from users order by id limit 1) as keeper`,
  )
  return rows[0]
}

function toEntry({ created_at: createdAt, id, ...row }) {
  return { id: Number(id), ...row, createdAt }
}
