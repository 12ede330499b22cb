import { MIB } from '@caretaker/kernel/units.ts'
import { partial, type UnitContext, type UnitPaths } from './unit-layout.ts'

/** What a copy needs beside its content: a Postgres that starts on it writes a segment of its log (16 MiB) and files. */
const MARGIN_BYTES = 32 * MIB
/** Written at a time. */
const PIECE_BYTES = 4 * MIB

/** Holds room for one copy of `bytes` in a file of zeros: a hole would hold nothing. */
export async function holdRoom(
  { files }: Pick<UnitContext, 'files'>,
  { room }: UnitPaths,
  bytes: number,
): Promise<void> {
  if (bytes === 0 || (await files.stat(room))) return
  const unfinished = partial(room)
  await files.remove(unfinished)
  try {
    const piece = new Uint8Array(PIECE_BYTES)
    for (let left = bytes + MARGIN_BYTES; left > 0; left -= PIECE_BYTES)
      await files.append(unfinished, left < PIECE_BYTES ? piece.subarray(0, left) : piece, 0o600)
    await files.rename(unfinished, room)
  } catch (error) {
    await files.remove(unfinished)
    throw error
  }
}

export async function releaseRoom({ files }: Pick<UnitContext, 'files'>, { room }: UnitPaths): Promise<void> {
  for (const path of [partial(room), room]) await files.remove(path)
}
