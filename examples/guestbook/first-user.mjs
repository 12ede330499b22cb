import { openPool } from './src/database.mjs'
import { settingsFrom } from './src/settings.mjs'

const { CARETAKER_USER_EMAIL: email, CARETAKER_USER_FIRST: first, CARETAKER_USER_LAST: last } = process.env
const { CARETAKER_USER_GENDER: gender = null, CARETAKER_USER_GROUP: group = null } = process.env
if (!email || !first || !last)
  throw new Error('CARETAKER_USER_EMAIL, CARETAKER_USER_FIRST and CARETAKER_USER_LAST are needed')

const pool = openPool(settingsFrom(process.env).databaseUrl)
await pool.query(
  `insert into users (email, first_name, last_name, gender, user_group) values ($1, $2, $3, $4, $5)
   on conflict (email) do update set first_name = excluded.first_name, last_name = excluded.last_name,
     gender = excluded.gender, user_group = excluded.user_group`,
  [email, first, last, gender, group],
)
console.log(`${first} ${last} keeps this guestbook`)
await pool.end()
