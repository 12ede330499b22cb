import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from './programs.ts'

/** The migration of the second release. */
export const MIGRATION = '003_readings.sql'
const SQL = `alter table readings add column key text;
update readings set key = lower(btrim(body)) || id;
create index readings_by_key on readings (key);
`

/** Guestbook as a folder of its own, which can become a release that migrates the table `readings`. */
export interface GuestbookSource extends AsyncDisposable {
  readonly folder: string
  putSecond(): Promise<void>
}

/** The first release; removed when disposed. */
export async function guestbookSource(): Promise<GuestbookSource> {
  const folder = await mkdtemp(join(tmpdir(), 'caretaker-bench-source-'))
  const filter = (path: string) => !path.includes('node_modules')
  await cp(join(root, 'examples/guestbook'), folder, { recursive: true, filter })
  const edit = async (name: string, from: string, to: string) => {
    const text = await readFile(join(folder, name), 'utf8')
    await writeFile(join(folder, name), text.replace(from, to))
  }
  return {
    folder,
    async putSecond() {
      await edit('compose.yml', 'version: "1"', 'version: "2"')
      await edit('src/release.mjs', "'1'", "'2'")
      await writeFile(join(folder, 'migrations', MIGRATION), SQL)
    },
    async [Symbol.asyncDispose]() {
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Arguments of Node, in the folder and environment of guestbook, that make the table `readings` with its rows. */
export const fillReadings = (rows: number): readonly string[] => [
  '--input-type=module',
  '-e',
  `import { newClient } from './src/database.mjs'
const client = newClient(process.env.DATABASE_URL)
await client.connect()
await client.query('create table readings as select g as id, md5(g::text) as body from generate_series(1, ${rows}) g')
await client.end()`,
]

/** Arguments of Node that write so many files of 1 MiB, which do not compress, into the files of guestbook. */
export const fillFiles = (count: number): readonly string[] => [
  '--input-type=module',
  '-e',
  `import { randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
const bytes = randomBytes(2 ** 20)
const folder = process.env.DATA_DIR_FILES + '/bench'
await mkdir(folder)
for (let number = 0; number < ${count}; number++) await writeFile(folder + '/' + number, bytes)`,
]
