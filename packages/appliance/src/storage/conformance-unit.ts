import { createHash } from 'node:crypto'
import type { Files } from '@caretaker/ports/files.ts'
import type { StorageLab } from './conformance.ts'
import type { Storage } from './storage.ts'

/** An initialised volume with one unit, `app`, that holds the note "one". */
export async function unitWithNote(lab: StorageLab): Promise<Storage> {
  const storage = lab.open()
  await storage.initialise('a-1')
  await storage.createUnit('app')
  const volume = `${storage.unitPath('app')}/files/notes`
  await lab.postgres.ports.files.makeFolder(`${volume}/deep/er`, 0o700)
  await lab.postgres.ports.files.link('note.txt', `${volume}/link`)
  await writeNote(lab, storage, 'one')
  return storage
}

export async function writeNote(lab: StorageLab, storage: Storage, text: string, app = 'app'): Promise<void> {
  const { files } = lab.postgres.ports
  const volume = `${storage.unitPath(app)}/files/notes`
  await files.write(`${volume}/note.txt`, text, 0o640)
  await files.write(`${volume}/deep/er/${text}.txt`, text, 0o600)
  if (lab.postgres.owner) await files.setOwner(volume, lab.postgres.owner)
}

/** The note at a path that a back end gave; undefined when there is none. */
export async function readNote(lab: StorageLab, path: string): Promise<string | undefined> {
  return lab.postgres.ports.files.readText(`${path}/files/notes/note.txt`)
}

/** One hash over names, kinds, modes of files, owners and contents of a whole tree. */
export async function treeHash(files: Files, path: string): Promise<string> {
  const hash = createHash('sha256')
  const visit = async (relative: string): Promise<void> => {
    for (const { name, kind } of (await files.list(`${path}${relative}`)) ?? []) {
      const place = `${relative}/${name}`
      const info = await files.stat(`${path}${place}`)
      hash.update(`${place} ${kind} ${info?.uid}:${info?.gid} ${kind === 'file' ? info?.mode : ''}\n`)
      if (kind === 'file') hash.update(await files.read(`${path}${place}`))
      if (kind === 'link') hash.update((await files.readLink(`${path}${place}`)) ?? '')
      if (kind === 'folder') await visit(place)
    }
  }
  await visit('')
  return hash.digest('hex')
}
