import { isDuplicate, wasRefused } from './database.mjs'
import { HttpError } from './http-error.mjs'

/** How many files are read at once when all are compared with their rows. */
const AT_ONCE = 8

/**
 * Stores the number `n` as a row and `bytes` as a file. When this returns, both are durable.
 * @throws HttpError 409 if `n` is there already.
 */
export async function addNumber(pool, store, n, bytes) {
  const file = await store.receive([bytes])
  try {
    await pool.query('insert into numbers (n, id, size, sha256) values ($1, $2, $3, $4)', [
      n,
      file.id,
      file.size,
      file.sha256,
    ])
  } catch (error) {
    if (wasRefused(error)) await store.remove(file)
    if (isDuplicate(error)) throw new HttpError(409, `The number ${n} is there already`, { n })
    throw error
  }
  return { n, sha256: file.sha256, size: file.size }
}

/** Every number with what its row says about its file. */
export async function listNumbers(pool) {
  const { rows } = await pool.query(
    'select n::float8 as n, sha256, size::float8 as size from numbers order by n',
  )
  return rows
}

/**
 * Compares the files on disk with the rows: `{ok, rows, missing, mismatched, uploads: {rows, missing, mismatched}}`;
 * the lists name numbers, and ids of uploads.
 */
export async function verifyFiles(pool, store) {
  const numbers = await pool.query('select n::float8 as label, id, sha256 from numbers order by n')
  const uploads = await pool.query('select id as label, id, sha256 from uploads order by id')
  const ofNumbers = await compare(store, numbers.rows)
  const ofUploads = await compare(store, uploads.rows)
  const wrong = [ofNumbers, ofUploads].some((each) => each.missing.length + each.mismatched.length > 0)
  return { ok: !wrong, ...ofNumbers, uploads: ofUploads }
}

async function compare(store, files) {
  const found = { rows: files.length, missing: [], mismatched: [] }
  for (let start = 0; start < files.length; start += AT_ONCE) {
    const group = files.slice(start, start + AT_ONCE)
    const states = await Promise.all(group.map((file) => store.check(file)))
    states.forEach((state, index) => found[state]?.push(group[index].label))
  }
  return found
}
