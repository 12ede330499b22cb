import { MIB } from '@caretaker/kernel/units.ts'
import { LOOKED_AT, lastLines } from '@caretaker/ports/command.ts'
import type { Files } from '@caretaker/ports/files.ts'

/** A log file is set aside at this size; with {@link KEPT_LOGS} older ones this bounds the logs of one service. */
export const MAX_LOG_BYTES = 10 * MIB
export const KEPT_LOGS = 3

/** The last `count` lines of a log, fewer when there are fewer; those of the file set aside last count too. */
export async function readLogTail(
  files: Pick<Files, 'readText'>,
  path: string,
  count: number,
): Promise<readonly string[]> {
  const lines = linesOf(await files.readText(path))
  if (lines.length >= count) return lines.slice(-count)
  return [...linesOf(await files.readText(`${path}.1`)), ...lines].slice(-count)
}

/** What a log says last, as the end of a sentence, {@link lastLines}; empty when it says nothing. */
export async function lastWords(
  files: Pick<Files, 'readText'>,
  path: string,
  count: number,
): Promise<string> {
  const said = lastLines((await readLogTail(files, path, count * LOOKED_AT)).join('\n'), count)
  return said === '' ? '' : `; it last wrote: ${said}`
}

function linesOf(text = ''): readonly string[] {
  return text.split('\n').filter((line) => line.trim() !== '')
}

/**
 * Sets a log file aside when it is too large: `x.log` becomes `x.log.1`, `.1` becomes `.2`, the oldest goes.
 * The process keeps its open file, so the content is copied and the file emptied; what is written in that moment,
 * a few lines at most, can be lost.
 */
export async function boundLog(files: Files, path: string, maxBytes = MAX_LOG_BYTES): Promise<boolean> {
  const info = await files.stat(path)
  if (!info || info.sizeBytes <= maxBytes) return false
  await files.remove(`${path}.${KEPT_LOGS}`)
  for (let age = KEPT_LOGS - 1; age >= 1; age -= 1) {
    if (await files.stat(`${path}.${age}`)) await files.rename(`${path}.${age}`, `${path}.${age + 1}`)
  }
  await files.copyTree(path, `${path}.1`)
  await files.truncate(path, 0)
  return true
}
