import { dirname } from 'node:path'
import { AppError } from '@caretaker/kernel/errors.ts'
import type { Ports } from '@caretaker/ports/ports.ts'

type OwnerPorts = Pick<Ports, 'files' | 'machine'>

/** Whether it is a folder (no link to one) of this user that nobody else can write to. */
export async function isOwnFolder({ files, machine }: OwnerPorts, path: string): Promise<boolean> {
  const info = await files.stat(path)
  return info?.kind === 'folder' && info.uid === machine.user().uid && (info.mode & 0o022) === 0
}

/** Whether somebody else may have made this folder: it is not ours, and anybody can make one beside it. */
export async function isPlanted(ports: OwnerPorts, path: string): Promise<boolean> {
  const parent = await ports.files.stat(dirname(path))
  return ((parent?.mode ?? 0) & 0o002) !== 0 && !(await isOwnFolder(ports, path))
}

/**
 * Below /tmp and /dev/shm anybody could have made a folder of ours first, and then take the sockets and secrets in it.
 * @throws AppError NO_PERMISSION unless {@link isOwnFolder}
 */
export async function assertOwnFolder(ports: OwnerPorts, path: string): Promise<void> {
  if (await isOwnFolder(ports, path)) return
  const { name } = ports.machine.user()
  throw new AppError('NO_PERMISSION', {
    what: 'Nothing was started',
    why: `${path} must be a folder of ${name} that nobody else can write to, and it is not`,
    next: `Look at it ("ls -ld ${path}") and remove it; then "caretaker up"`,
  })
}
