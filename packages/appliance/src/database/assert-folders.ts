import { AppError } from '@caretaker/kernel/errors.ts'
import type { Files } from '@caretaker/ports/files.ts'
import type { Cluster } from './cluster.ts'

/** What Postgres accepts for its data folder besides its owner's rights: reading by the group. */
const MODE_ACCEPTED = 0o750

/**
 * Looks for what Postgres would refuse about its folders, to say what to type.
 * @throws AppError POSTGRES_START_FAILED
 */
export async function assertFolders(files: Pick<Files, 'stat'>, cluster: Cluster): Promise<void> {
  const { app, dataFolder, runFolder, owner } = cluster
  const refuse = (why: string, command: string): never => {
    throw new AppError('POSTGRES_START_FAILED', {
      what: `Postgres of ${app} was not started`,
      why,
      next: `"${command}", then "caretaker up"`,
    })
  }
  const run = await files.stat(runFolder)
  if (run && run.kind !== 'folder')
    refuse(`${runFolder}, the folder of its socket, is a file`, `rm ${runFolder}`)
  const data = await files.stat(dataFolder)
  if (!data) return
  if (owner && data.uid !== owner.uid) {
    const why = `its data folder ${dataFolder} belongs to user ${data.uid}, and it runs as user ${owner.uid}`
    refuse(why, `chown ${owner.uid}:${owner.gid} ${dataFolder}`)
  }
  const mode = data.mode & 0o777
  if ((mode & ~MODE_ACCEPTED) !== 0) {
    const why = `its data folder ${dataFolder} is open to others (mode ${mode.toString(8)}), which Postgres refuses`
    refuse(why, `chmod 700 ${dataFolder}`)
  }
}
