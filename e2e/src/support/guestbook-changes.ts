import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ROOT } from './appliance.ts'

/** What a release changes in the one before. */
export interface GuestbookChange {
  /** Whole files, by their path. */
  readonly files?: Readonly<Record<string, string>>
  /** A text that stands in a file, and what comes in its place. */
  readonly edits?: readonly (readonly [file: string, from: string, to: string])[]
}

/** Makes `folder` hold a release: the first one with some changes, under a version of its own. */
export async function putGuestbook(
  folder: string,
  base: string,
  version: string,
  changes: readonly GuestbookChange[],
): Promise<void> {
  await rm(folder, { recursive: true, force: true })
  await cp(base, folder, { recursive: true })
  const named: GuestbookChange = {
    edits: [
      ['compose.yml', 'version: "1"', `version: "${version}"`],
      ['src/release.mjs', "release = '1'", `release = '${version}'`],
    ],
  }
  for (const { files = {}, edits = [] } of [...changes, named]) {
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, name)), { recursive: true })
      await writeFile(join(folder, name), text)
    }
    for (const [name, from, to] of edits) {
      const text = await readFile(join(folder, name), 'utf8')
      if (!text.includes(from)) throw new Error(`${name} does not hold ${from}`)
      await writeFile(join(folder, name), text.replace(from, to))
    }
  }
}

/** A file of one of the example releases. */
export const ofRelease = (path: string) => readFile(join(ROOT, 'examples/guestbook-releases', path), 'utf8')

/** Changes that production can take, in this order. */
export const GOOD: readonly (readonly [
  what: string,
  migrates: boolean,
  change: () => Promise<GuestbookChange>,
])[] = [
  ['code only', false, async () => ({ edits: [['public/style.css', '', '/* Wider margins. */\n']] })],
  [
    'a column is added',
    true,
    async () => ({
      files: { 'migrations/003_mood.sql': "alter table entries add column mood text default 'calm';\n" },
    }),
  ],
  [
    'a table is added and filled from the rows there are',
    true,
    async () => ({
      files: {
        'migrations/004_visitors.sql':
          'create table visitors (name text primary key, entries bigint not null);\ninsert into visitors select name, count(*) from entries group by name;\n',
      },
    }),
  ],
  [
    'an index is added',
    true,
    async () => ({
      files: { 'migrations/005_by_name.sql': 'create index entries_by_name on entries (name, id desc);\n' },
    }),
  ],
  [
    'the worker counts less often',
    false,
    async () => ({ edits: [['worker.mjs', 'INTERVAL_MS = 10_000', 'INTERVAL_MS = 20_000']] }),
  ],
  [
    'files move to other folders, where the release before does not look for them',
    true,
    async () => ({
      files: {
        'migrations/006_files_by_hash.mjs': await ofRelease('v2/migrations/005_files_by_hash.mjs'),
        'src/place.mjs': await ofRelease('v2/src/place.mjs'),
      },
    }),
  ],
]

/** A change that a rehearsal must find out. */
export interface BadChange {
  readonly what: string
  /** Kind of the step at which it does. */
  readonly step: string
  /** Part of the reason it gives. */
  readonly why: string
  /** Why an update is taken back that goes on all the same; absent where that is not tried. */
  readonly code?: string
  readonly change: GuestbookChange
}

/** Its second connection waits for rows that its first one holds; the database cannot know that this will never end. */
const WAITS_FOR_ITSELF = `import { newClient } from '../src/database.mjs'

export async function up(client) {
  await client.query('alter table entries add column mood text')
  const other = newClient(process.env.DATABASE_URL)
  await other.connect()
  console.log('waits for a lock on all entries')
  await other.query("update entries set mood = 'calm'")
  await other.end()
}
`

const TAKES_ALL_MEMORY = `export async function up(client) {
  const { rows } = await client.query('select * from entries')
  const copies = []
  for (;;) copies.push(rows.map((row) => ({ ...row, at: copies.length })))
}
`

/** Ends well, and no program can take it back: the end of every file is lost. */
const CUTS_FILES = `import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'

export async function up(_client, root) {
  for (const entry of await readdir(root, { withFileTypes: true }))
    if (entry.isFile()) await writeFile(join(root, entry.name), gzipSync(await readFile(join(root, entry.name))).subarray(0, -12))
}
`

const COMPRESSED = `import { createGunzip, createGzip } from 'node:zlib'

export const encode = () => createGzip()
export const decode = () => createGunzip()
`

const HEALTH = 'export async function healthOf(pool, ofRelease) {\n'
/** Every question leaves something open, until there is no more room. */
const SOON_UNHEALTHY = `let open = 0

${HEALTH}  open += 1
  if (open > 8) return { ok: false, reason: 'too many things are left open' }
`

/** Its time of ten seconds is enough for every other program of these releases, also on a busy machine. */
export const BAD: readonly BadChange[] = [
  {
    what: 'a lock that its migration waits for too long',
    step: 'rehearsal.migrate',
    why: 'did not end in its time of 10 s',
    change: {
      files: { 'migrations/003_mood.mjs': WAITS_FOR_ITSELF },
      edits: [['compose.yml', 'timeout: 5m', 'timeout: 10s']],
    },
  },
  {
    what: 'a rule that only the entries of production break',
    step: 'rehearsal.migrate',
    why: 'Key (lower(btrim(name)))=(ada lovelace) is duplicated',
    code: 'MIGRATION_FAILED',
    change: {
      files: {
        'migrations/003_one_each.sql': 'create unique index one_each on entries (lower(btrim(name)));\n',
      },
    },
  },
  {
    what: 'an extension that this Postgres has not',
    step: 'database.create',
    why: 'flux_capacitor',
    change: { edits: [['compose.yml', 'database: {}', 'database: { extensions: [flux_capacitor] }']] },
  },
  {
    what: 'a migration that takes more memory than it may have',
    step: 'rehearsal.migrate',
    why: 'heap out of memory',
    change: {
      files: { 'migrations/003_copies.mjs': TAKES_ALL_MEMORY },
      edits: [
        ['compose.yml', 'run: [node, migrate.mjs]', 'run: [node, --max-old-space-size=40, migrate.mjs]'],
      ],
    },
  },
  {
    what: 'healthy at first, and then not any more',
    step: 'rehearsal.watch',
    why: 'too many things are left open',
    change: {
      edits: [
        ['src/health.mjs', HEALTH, SOON_UNHEALTHY],
        ['compose.yml', 'retries: 6', 'retries: 2'],
      ],
    },
  },
  {
    what: 'files are rewritten in their places, and what was in them is lost',
    step: 'rehearsal.smoke',
    why: 'smoke test failed',
    code: 'SMOKE_FAILED',
    change: { files: { 'migrations/003_compress.mjs': CUTS_FILES, 'src/encoding.mjs': COMPRESSED } },
  },
]
