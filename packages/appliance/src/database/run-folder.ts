import type { Files } from '@caretaker/ports/files.ts'
import type { Cluster } from './cluster.ts'

/** Makes the folder of the socket, for the service user alone, with its rights and owner also when it is there. */
export async function makeRunFolder(
  files: Pick<Files, 'makeFolder' | 'setMode' | 'setOwner'>,
  { runFolder, owner }: Pick<Cluster, 'runFolder' | 'owner'>,
): Promise<void> {
  await files.makeFolder(runFolder, 0o700)
  await files.setMode(runFolder, 0o700)
  if (owner) await files.setOwner(runFolder, owner)
}
