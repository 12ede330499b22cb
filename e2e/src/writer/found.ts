import { createHash } from 'node:crypto'
import { createReadStream, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { TestAppliance } from '../support/appliance.ts'
import { query } from '../support/postgres.ts'

/** What is there after a run, seen by SQL and by reading files: the guestbook's own word is not asked for it. */
export interface Found {
  readonly numbers: readonly FoundNumber[]
  readonly entries: readonly FoundEntry[]
}

export interface FoundNumber {
  readonly n: number
  /** Hash in the row. */
  readonly sha256: string
  /** Hash of the file on disk; undefined when there is no file. */
  readonly onDisk: string | undefined
}

export interface FoundEntry {
  readonly id: number
  readonly name: string
  /** Of its upload, if it has one. */
  readonly sha256: string | undefined
  readonly onDisk: string | undefined
}

/** Where the guestbook of an appliance, which must be running, keeps its data, as seen from here. */
export async function dataPlaces(appliance: TestAppliance): Promise<{ url: string; folder: string }> {
  const { web } = await appliance.pids()
  return {
    url: fromHere(appliance, variableOf(web, 'DATABASE_URL')),
    // Seen from the root of the process, which is another one in a container.
    folder: join(`/proc/${web}/root`, variableOf(web, 'DATA_DIR_FILES')),
  }
}

/**
 * Looks into the database and the files of the guestbook, which must be running. `placeOf` says where its release keeps
 * the file of a row.
 */
export async function lookAt(
  appliance: TestAppliance,
  placeOf: (id: string, sha256: string) => string = (id) => id,
): Promise<Found> {
  const { url, folder } = await dataPlaces(appliance)
  const numbers: FoundNumber[] = []
  for (const row of await query(url, 'select n::float8 as n, id, sha256 from numbers order by n')) {
    const { n, id, sha256 } = row as { n: number; id: string; sha256: string }
    numbers.push({ n, sha256, onDisk: await hashOf(join(folder, placeOf(id, sha256))) })
  }
  const entries: FoundEntry[] = []
  const text =
    'select e.id::float8 as id, e.name, u.id as file, u.sha256 from entries e left join uploads u on u.entry_id = e.id'
  for (const row of await query(url, `${text} order by e.id`)) {
    const { id, name, file, sha256 } = row as { id: number; name: string; file?: string; sha256?: string }
    const onDisk = file && sha256 ? await hashOf(join(folder, placeOf(file, sha256))) : undefined
    entries.push({ id, name, sha256: sha256 ?? undefined, onDisk })
  }
  return { numbers, entries }
}

/** A name of the network of containers is none here: the socket of the same server is. */
function fromHere({ state }: TestAppliance, url: string): string {
  const address = new URL(url)
  if (address.hostname !== 'postgres') return url
  address.hostname = 'localhost'
  address.searchParams.set('host', join(state, 'run/pg/guestbook'))
  return address.href
}

/** A variable of the environment of a process. */
function variableOf(pid: number | undefined, name: string): string {
  const found = readFileSync(`/proc/${pid}/environ`, 'utf8')
    .split('\0')
    .find((each) => each.startsWith(`${name}=`))
  if (found === undefined) throw new Error(`the process ${pid} has no ${name}`)
  return found.slice(name.length + 1)
}

async function hashOf(path: string): Promise<string | undefined> {
  const sum = createHash('sha256')
  try {
    await pipeline(createReadStream(path), sum)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  return sum.digest('hex')
}
