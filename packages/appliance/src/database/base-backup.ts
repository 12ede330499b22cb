import type { DatabaseAddress, DatabaseSession, Databases } from '@caretaker/ports/database.ts'
import type { Files, FolderEntry, Owner } from '@caretaker/ports/files.ts'

/**
 * What no copy of a running cluster takes along, as "Making a Base Backup Using the Low Level API" of the Postgres manual
 * says: locks, what a start makes anew, and the write-ahead log, which comes last and by name.
 */
const LEFT_OUT: readonly RegExp[] = [
  /^postmaster\.(pid|opts)$/,
  /^pg_wal$/,
  /^(pg_replslot|pg_dynshmem|pg_notify|pg_serial|pg_snapshots|pg_stat_tmp|pg_subtrans)\/./,
  /(^|\/)pgsql_tmp/,
  /(^|\/)pg_internal\.init/,
  /^(backup_label|tablespace_map)(\.old)?$/,
]

/** A segment of the write-ahead log, or the history of a timeline. */
const SEGMENT = /^[0-9A-F]{24}$/
const HISTORY = /^[0-9A-F]{8}\.history$/

interface CopyPorts {
  readonly databases: Databases
  readonly files: Files
}

/** The server of a cluster that is copied while it runs. */
export interface RunningServer {
  readonly admin: DatabaseAddress
  /** The user it runs as, given when we are root. */
  readonly owner: Owner | undefined
  /** For each statement; two of them wait for a checkpoint. */
  readonly timeoutMs: number
}

/**
 * Copies the content of a snapshot unit into the empty folder `to` while the application writes: the database first, as of
 * the instant at which its copy ends, and then the files, so that those are there that its rows name. `server` is undefined
 * when no Postgres runs on it: then nobody writes there.
 * @throws DatabaseError
 */
export async function copyLiveUnit(
  ports: CopyPorts,
  server: RunningServer | undefined,
  from: string,
  to: string,
  signal: AbortSignal,
): Promise<void> {
  if (server) await copyRunningCluster(ports, server, `${from}/postgres`, `${to}/postgres`, signal)
  for (const { name } of (await ports.files.list(from)) ?? []) {
    if (server && name === 'postgres') continue
    await ports.files.copyLiveTree(`${from}/${name}`, `${to}/${name}`, () => false, signal)
  }
}

/**
 * Copies the cluster in `dataFolder` to `to`, which does not exist, while its server runs. The copy has every transaction
 * that was acknowledged before the call, and recovers by itself at its first start. The server keeps the log that this
 * needs as long as the session lasts; when that breaks, the copy fails.
 */
async function copyRunningCluster(
  { files, databases }: CopyPorts,
  { admin, owner, timeoutMs }: RunningServer,
  dataFolder: string,
  to: string,
  signal: AbortSignal,
): Promise<void> {
  await databases.withSession(admin, { timeoutMs }, async (session) => {
    const slot = `caretaker_copy_${(await first<{ pid: number }>(session, 'SELECT pg_backend_pid() AS pid')).pid}`
    await session.query('SELECT pg_create_physical_replication_slot($1, true, true)', [slot])
    const { segment: begin } = await first<{ segment: string }>(
      session,
      'SELECT pg_walfile_name(pg_backup_start($1, true)) AS segment',
      ['caretaker'],
    )
    const isLeftOut = (path: string) => LEFT_OUT.some((pattern) => pattern.test(path))
    await files.copyLiveTree(dataFolder, to, isLeftOut, signal)
    const end = await first<{ segment: string; label: string; map: string }>(
      session,
      'SELECT pg_walfile_name(lsn) AS segment, labelfile AS label, spcmapfile AS map FROM pg_backup_stop(false)',
    )
    const labels = { backup_label: end.label, tablespace_map: end.map }
    for (const [name, text] of Object.entries(labels)) {
      if (text.trim() === '') continue
      await files.write(`${to}/${name}`, text, 0o600)
      if (owner) await files.setOwner(`${to}/${name}`, owner)
      await files.sync(`${to}/${name}`)
    }
    const isNeeded = (name: string) => SEGMENT.test(name) && name >= begin && name <= end.segment
    const log = namesIn(await files.list(`${dataFolder}/pg_wal`)).filter(isNeeded)
    const isOther = (name: string) => !isNeeded(name) && !HISTORY.test(name)
    await files.copyLiveTree(`${dataFolder}/pg_wal`, `${to}/pg_wal`, isOther, signal)
    const copied = new Set(namesIn(await files.list(`${to}/pg_wal`)))
    const lost = log.find((name) => !copied.has(name))
    if (lost !== undefined) throw new Error(`the server did not keep ${dataFolder}/pg_wal/${lost}`)
    await files.sync(to)
  })
}

function namesIn(entries: readonly FolderEntry[] = []): readonly string[] {
  return entries.map(({ name }) => name)
}

async function first<Row>(
  session: DatabaseSession,
  text: string,
  values: readonly unknown[] = [],
): Promise<Row> {
  const [row] = await session.query<Row>(text, values)
  if (row === undefined) throw new Error(`the server answered nothing to ${text}`)
  return row
}
