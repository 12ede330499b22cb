import type { Ports } from '@caretaker/ports/ports.ts'

/**
 * The first folder of this machine that lies in memory and that every command of this user can use; undefined when
 * there is none. $XDG_RUNTIME_DIR is none of them: a service of the system and a login of the same user would not agree
 * on it, and it goes away at the last logout.
 */
export async function memoryFolder({
  files,
  machine,
}: Pick<Ports, 'files' | 'machine'>): Promise<string | undefined> {
  const candidates = machine.user().uid === 0 ? ['/run', '/dev/shm'] : ['/dev/shm']
  for (const folder of candidates) {
    const isFolder = (await files.stat(folder))?.kind === 'folder'
    if (isFolder && (await files.space(folder)).inMemory) return folder
  }
  return undefined
}
