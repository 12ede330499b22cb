import { AppError } from '@caretaker/kernel/errors.ts'
import { writeJsonDurably } from '@caretaker/ports/durable.ts'
import type { Files } from '@caretaker/ports/files.ts'

/** Reads a JSON file of the state folder; undefined when there is none. @throws AppError STATE_DAMAGED */
export async function readStateFile<T>(files: Pick<Files, 'readText'>, path: string): Promise<T | undefined> {
  const text = await files.readText(path)
  if (text === undefined) return undefined
  try {
    return JSON.parse(text) as T
  } catch (cause) {
    throw new AppError('STATE_DAMAGED', {
      what: 'A file of the state folder cannot be read',
      why: `${path} is not whole JSON`,
      next: `Look at the disk ("dmesg"), set the file aside ("mv ${path} ${path}.damaged"), then "caretaker up": it is made anew from what is there`,
      at: { file: path },
      cause,
    })
  }
}

export async function writeStateFile(files: Files, path: string, value: unknown): Promise<void> {
  await writeJsonDurably(files, path, value)
}
