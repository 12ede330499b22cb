import { createHash, randomBytes } from 'node:crypto'
import type { DatabaseAddress, DatabaseSession } from '@caretaker/ports/database.ts'
import type { ProcessIdentity } from '@caretaker/ports/process.ts'
import { describe, expect, test } from 'vitest'
import { appAddress } from '../database/address.ts'
import type { Cluster } from '../database/cluster.ts'
import { createDatabase, ensureRole } from '../database/roles.ts'
import type { StorageLab } from './conformance.ts'
import { treeHash } from './conformance-unit.ts'
import type { Storage } from './storage.ts'

const SNAPSHOTS = 20
const ROWS_BETWEEN = 15

/** Database and files of one instant (spec S2): a real Postgres and one file per row, under a writer. */
export function describeWriters(make: () => Promise<StorageLab>): void {
  describe('under a writer', () => {
    test(`${SNAPSHOTS} snapshots each hold every row and file acknowledged before, whole`, async () => {
      await using lab = await make()
      const app = await startApp(lab)
      const acknowledged: number[] = []
      for (let number = 1; number <= SNAPSHOTS; number++) {
        await app.untilAcknowledged(app.acknowledged() + ROWS_BETWEEN)
        acknowledged.push(await snapshotUnderWriter(app, `snapshot-${number}`))
      }
      await app.stop()
      expect((await app.storage.listSnapshots('app')).map(({ name }) => name)).toEqual(
        acknowledged.map((_, index) => `snapshot-${index + 1}`),
      )
      for (const [index, count] of acknowledged.entries()) {
        await app.storage.writableCopy('app', `snapshot-${index + 1}`, 'copy')
        await expectWhole(lab, app.storage, 'copy', count)
        await app.storage.removeUnit('copy')
      }
    }, 600_000)

    test('switch there and back: the database follows the files, and no row is lost', async () => {
      await using lab = await make()
      const app = await startApp(lab)
      await app.untilAcknowledged(10)
      await app.stop()
      await app.storage.snapshot('app', 'early')
      const early = app.acknowledged()
      await app.start()
      await app.untilAcknowledged(early + 10)
      await app.stop()
      const late = app.acknowledged()
      const before = await treeHash(lab.postgres.ports.files, app.storage.unitPath('app'))

      await app.storage.switchTo('app', 'early', 'late')
      expect(await treeHash(lab.postgres.ports.files, await app.storage.snapshotPath('app', 'late'))).toBe(
        before,
      )
      expect(await expectWhole(lab, app.storage, 'app', early)).toBeLessThan(late)

      await app.storage.switchTo('app', 'late', 'early-again')
      expect(await expectWhole(lab, app.storage, 'app', late)).toBeGreaterThanOrEqual(late)
    }, 300_000)
  })
}

/** Snapshots as the life cycle does: back ends that are not instant get stopped writers. Gives the acknowledged id. */
async function snapshotUnderWriter(app: WritingApp, name: string): Promise<number> {
  if (app.storage.instant) {
    const acknowledged = app.acknowledged()
    await app.storage.snapshot('app', name)
    return acknowledged
  }
  await app.stop()
  const acknowledged = app.acknowledged()
  await app.storage.snapshot('app', name)
  await app.start()
  return acknowledged
}

export interface WritingApp {
  readonly cluster: Cluster
  readonly storage: Storage
  /** The highest id that Postgres acknowledged; ids rise by one from 1. */
  acknowledged(): number
  untilAcknowledged(id: number): Promise<void>
  start(): Promise<void>
  /** Stops the writer between two rows, then the server. */
  stop(): Promise<void>
}

export async function startApp(lab: StorageLab): Promise<WritingApp> {
  const { postgres } = lab
  const { files, databases } = postgres.ports
  const storage = lab.open()
  await storage.initialise('a-1')
  await storage.createUnit('app')
  const unit = storage.unitPath('app')
  await files.makeFolder(`${unit}/files/uploads`, 0o700)
  const cluster = clusterIn(lab, storage, 'app')
  await postgres.create(cluster)
  const address = appAddress(cluster, postgres.appPassword)

  let acknowledged = 0
  let server: ProcessIdentity | undefined
  let holding = false
  let writer = Promise.resolve()
  const waiting: { readonly id: number; readonly wake: () => void }[] = []

  const writeRows = (session: DatabaseSession) => async (): Promise<void> => {
    while (!holding) {
      const id = acknowledged + 1
      const content = randomBytes(200).toString('hex')
      const path = `${unit}/files/uploads/${id}`
      await files.write(path, content, 0o600)
      await files.sync(path)
      await files.sync(`${unit}/files/uploads`)
      await session.query('INSERT INTO entry (id, hash) VALUES ($1, $2)', [id, sha256(content)])
      acknowledged = id
      for (const entry of waiting) if (entry.id <= id) entry.wake()
    }
  }

  const app: WritingApp = {
    cluster,
    storage,
    acknowledged: () => acknowledged,
    untilAcknowledged: (id) =>
      Promise.race([
        new Promise<void>((wake) => {
          if (acknowledged >= id) wake()
          else waiting.push({ id, wake })
        }),
        writer.then(() => {
          if (acknowledged < id) throw new Error('the writer has ended')
        }),
      ]),
    start: async () => {
      server = await postgres.start(cluster)
      holding = false
      writer = databases.withSession(address, { timeoutMs: 20_000 }, (session) => writeRows(session)())
      writer.catch(() => undefined)
    },
    stop: async () => {
      holding = true
      await writer
      if (server) await postgres.stop(server)
      server = undefined
    },
  }

  server = await postgres.start(cluster)
  await ensureRole(databases, postgres.superuser(cluster), address)
  await createDatabase(databases, postgres.superuser(cluster), address)
  await query(
    lab,
    address,
    'CREATE TABLE entry (id int PRIMARY KEY, hash text NOT NULL, at timestamptz DEFAULT now())',
  )
  await query(lab, address, 'CREATE INDEX ON entry (hash)')
  await postgres.stop(server)
  await app.start()
  return app
}

/** Starts Postgres on a unit and checks all of it; gives the number of rows. */
export async function expectWhole(
  lab: StorageLab,
  storage: Storage,
  unit: string,
  acknowledged: number,
): Promise<number> {
  const { postgres } = lab
  const cluster = clusterIn(lab, storage, unit)
  const server = await postgres.start(cluster)
  const superuser = postgres.superuser(cluster, 'app')
  const rows = await query<{ id: number; hash: string }>(
    lab,
    superuser,
    'SELECT id, hash FROM entry ORDER BY id',
  )
  expect(rows.length).toBeGreaterThanOrEqual(acknowledged)
  expect(rows.map(({ id }) => id)).toEqual(rows.map((_, index) => index + 1))
  for (const { id, hash } of rows) {
    const content = await postgres.ports.files.readText(`${storage.unitPath(unit)}/files/uploads/${id}`)
    expect(content && sha256(content), `file of row ${id}`).toBe(hash)
  }
  await query(lab, superuser, 'CREATE EXTENSION amcheck')
  const indexes = await query(
    lab,
    superuser,
    `SELECT bt_index_check(index.oid, true) FROM pg_class AS index JOIN pg_am ON pg_am.oid = index.relam
      WHERE index.relkind = 'i' AND pg_am.amname = 'btree' AND index.relpersistence = 'p'`,
  )
  expect(indexes.length).toBeGreaterThan(100)
  const broken = await query(
    lab,
    superuser,
    `SELECT relation.relname, fault.* FROM pg_class AS relation, verify_heapam(relation.oid) AS fault
      WHERE relation.relkind IN ('r', 'm', 't') AND relation.relpersistence = 'p'`,
  )
  expect(broken).toEqual([])
  await query(lab, superuser, 'DROP EXTENSION amcheck')
  await postgres.stop(server)
  return rows.length
}

export function clusterIn(lab: StorageLab, storage: Storage, unit: string): Cluster {
  return lab.postgres.cluster(`${storage.unitPath(unit)}/postgres`, { app: 'app' })
}

export function query<Row>(lab: StorageLab, address: DatabaseAddress, sql: string): Promise<readonly Row[]> {
  return lab.postgres.ports.databases.withSession(address, { timeoutMs: 60_000 }, (session) =>
    session.query<Row>(sql),
  )
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
