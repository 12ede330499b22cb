import { dirname } from 'node:path'
import type { Files } from '@caretaker/ports/files.ts'

/** The values of a file with one JSON text a line. Lines that a crash or a disk has damaged are left out. */
export async function readJsonLines<T>(files: Pick<Files, 'readText'>, path: string): Promise<readonly T[]> {
  const text = (await files.readText(path)) ?? ''
  return text.split('\n').flatMap((line) => {
    if (line === '') return []
    try {
      return [JSON.parse(line) as T]
    } catch {
      return []
    }
  })
}

/** Appends a value durably; makes the file and its folder when they are not there. */
export async function appendJsonLine(files: Files, path: string, value: unknown): Promise<void> {
  await files.makeFolder(dirname(path), 0o700)
  const before = await files.readText(path)
  // A line that a crash has torn ends before the next one begins.
  const gap = before === undefined || before === '' || before.endsWith('\n') ? '' : '\n'
  await files.append(path, `${gap}${JSON.stringify(value)}\n`, 0o600)
  await files.sync(path)
  if (before === undefined) await files.sync(dirname(path))
}
