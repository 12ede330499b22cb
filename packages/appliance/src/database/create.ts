import { dirname } from 'node:path'
import { diskFull } from '@caretaker/kernel/errors.ts'
import { readableId } from '@caretaker/kernel/ids.ts'
import type { Secret } from '@caretaker/kernel/secrets.ts'
import { formatBytes, MIB } from '@caretaker/kernel/units.ts'
import { runToSuccess } from '@caretaker/ports/command.ts'
import type { Files } from '@caretaker/ports/files.ts'
import type { Processes } from '@caretaker/ports/process.ts'
import { type Cluster, initdbCommand } from './cluster.ts'
import { assertCluster, hasCluster } from './inspect.ts'
import type { PostgresPrograms } from './programs.ts'
import { makeRunFolder } from './run-folder.ts'

/** Room for a new cluster with its first write-ahead log; one of major 17 takes 41 MiB. */
const NEW_CLUSTER_BYTES = 48 * MIB

/**
 * Creates the cluster; nothing when there is one of this major. It is made under another name and renamed when it
 * is whole, so that an interrupted call leaves no half cluster. Only a first start and `app add` call this.
 * @throws AppError POSTGRES_MAJOR_MISMATCH, DISK_FULL, COMMAND_FAILED
 */
export async function createCluster(
  ports: { readonly files: Files; readonly processes: Pick<Processes, 'run'> },
  programs: PostgresPrograms,
  cluster: Cluster,
  password: Secret,
  signal?: AbortSignal,
): Promise<void> {
  const { files, processes } = ports
  if (await hasCluster(files, cluster)) return assertCluster(files, cluster)
  const unfinished = `${cluster.dataFolder}.partial`
  await files.remove(unfinished)
  await makeRunFolder(files, cluster)
  await makeOwnFolder(files, unfinished, cluster)
  try {
    await assertRoomForCluster(files, cluster, unfinished)
    await withPasswordFile(files, cluster, password, (passwordFile) => {
      const command = initdbCommand(programs, cluster, unfinished, passwordFile)
      const placed = programs.inside?.(command, [unfinished, passwordFile]) ?? command
      return runToSuccess(processes, placed, signal)
    })
  } catch (error) {
    await files.remove(unfinished)
    throw error
  }
  const entries = await files.list(cluster.dataFolder)
  if (entries?.length === 0) await files.remove(cluster.dataFolder)
  await files.rename(unfinished, cluster.dataFolder)
  await files.sync(dirname(cluster.dataFolder))
}

/** @throws AppError DISK_FULL */
async function assertRoomForCluster(
  files: Pick<Files, 'space'>,
  { app, dataFolder }: Cluster,
  unfinished: string,
): Promise<void> {
  const { availableBytes, mount } = await files.space(unfinished)
  if (availableBytes >= NEW_CLUSTER_BYTES) return
  throw diskFull({
    what: `The Postgres of ${app} was not created`,
    path: dataFolder,
    mount,
    more: `: a new cluster takes ${formatBytes(NEW_CLUSTER_BYTES)}, and ${formatBytes(availableBytes)} are free`,
  })
}

async function makeOwnFolder(
  files: Pick<Files, 'makeFolder' | 'setOwner'>,
  path: string,
  { owner }: Pick<Cluster, 'owner'>,
): Promise<void> {
  await files.makeFolder(path, 0o700)
  if (owner) await files.setOwner(path, owner)
}

/** initdb takes a password from a file only: it is there, readable by the service user alone, while initdb runs. */
async function withPasswordFile<T>(
  files: Pick<Files, 'write' | 'setOwner' | 'remove'>,
  { runFolder, secretFolder = runFolder, owner }: Pick<Cluster, 'runFolder' | 'secretFolder' | 'owner'>,
  password: Secret,
  work: (path: string) => Promise<T>,
): Promise<T> {
  const path = `${secretFolder}/initdb-${readableId(8)}`
  try {
    await files.write(path, `${password.reveal()}\n`, 0o600)
    if (owner) await files.setOwner(path, owner)
    return await work(path)
  } finally {
    await files.remove(path)
  }
}
