import { AppError } from '@caretaker/kernel/errors.ts'
import type { Files } from '@caretaker/ports/files.ts'
import type { Cluster } from './cluster.ts'

/** Whether the data folder holds a whole cluster: `createCluster` names it only when it is. */
export async function hasCluster(
  files: Pick<Files, 'readText'>,
  cluster: Pick<Cluster, 'dataFolder'>,
): Promise<boolean> {
  return (await files.readText(`${cluster.dataFolder}/PG_VERSION`)) !== undefined
}

/**
 * Makes sure that the data folder holds a cluster of the major in the config.
 * @throws AppError DATABASE_ABSENT when it is missing or empty: a new one is never made in its place (spec S4);
 *   POSTGRES_MAJOR_MISMATCH when another major wrote it.
 */
export async function assertCluster(
  files: Pick<Files, 'readText' | 'list'>,
  cluster: Pick<Cluster, 'app' | 'major' | 'dataFolder'>,
): Promise<void> {
  const version = (await files.readText(`${cluster.dataFolder}/PG_VERSION`))?.trim()
  if (version === String(cluster.major)) return
  if (version !== undefined && !/^\d+$/.test(version)) {
    throw new AppError('POSTGRES_MAJOR_MISMATCH', {
      what: `Postgres of ${cluster.app} was not started`,
      why: `${cluster.dataFolder}/PG_VERSION is damaged, so the major that wrote the data is not known`,
      next: 'Look at the disk ("dmesg"), then switch to a snapshot or recover from the backup; nothing was touched',
    })
  }
  if (version !== undefined) {
    throw new AppError('POSTGRES_MAJOR_MISMATCH', {
      what: `Postgres of ${cluster.app} was not started`,
      why: `its data was written by Postgres ${version}, and the config asks for ${cluster.major}`,
      next: `Set postgres.major back to ${version} in the config, then run "caretaker up"`,
    })
  }
  const entries = await files.list(cluster.dataFolder)
  const why =
    entries === undefined
      ? `there is no folder ${cluster.dataFolder}`
      : entries.length === 0
        ? `the folder ${cluster.dataFolder} is empty`
        : `${cluster.dataFolder} holds no PG_VERSION, so it is no database`
  throw new AppError('DATABASE_ABSENT', {
    what: `The database of ${cluster.app} is gone`,
    why,
    next: 'Mount the right data volume, switch to a snapshot, or recover from the backup; no new database was made',
  })
}
