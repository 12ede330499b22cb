import { BALLAST_PARTS, ballastFolder, dropBallast } from './ballast.ts'
import type { Files } from './files.ts'
import type { Ports } from './ports.ts'

/** How much of the ballast may be given up. */
export type BallastUse =
  /** All of it: for what stops, hides or makes room, which a person must be able to do on a full disk. */
  | 'all'
  /** Half: for what keeps the appliance serving by itself; the other half is a person's. */
  | 'half'

/**
 * The same ports, which on a full disk give up ballast of the state folder and try again, as long as there is some.
 * Only where the ballast lies on the file system that is full. Large things (`copyTree`, `copyLiveTree`) are not tried again.
 */
export function withBallast(ports: Ports, stateFolder: string, use: BallastUse): Ports {
  const { files, locks, processes } = ports
  const folder = ballastFolder(stateFolder)
  const keep = use === 'all' ? 0 : BALLAST_PARTS / 2
  const again = async <T>(work: () => Promise<T>): Promise<T> => {
    for (;;) {
      try {
        return await work()
      } catch (error) {
        if (!(await wouldHelp(files, folder, error)) || !(await dropBallast(files, folder, keep))) throw error
      }
    }
  }
  return {
    ...ports,
    files: {
      ...files,
      makeFolder: (path, mode) => again(() => files.makeFolder(path, mode)),
      write: (path, data, mode) => again(() => files.write(path, data, mode)),
      create: (path, data, mode) => again(() => files.create(path, data, mode)),
      append: (path, data, mode) => appendWhole(files, again, path, Buffer.from(data as string), mode),
      rename: (from, to) => again(() => files.rename(from, to)),
      link: (target, path) => again(() => files.link(target, path)),
    },
    locks: { ...locks, tryAcquire: (path) => again(() => locks.tryAcquire(path)) },
    processes: { ...processes, start: (command) => again(() => processes.start(command)) },
  }
}

/** A full disk takes what fits: the next try goes on behind it. */
async function appendWhole(
  files: Files,
  again: <T>(work: () => Promise<T>) => Promise<T>,
  path: string,
  data: Buffer,
  mode: number | undefined,
): Promise<void> {
  const sizeOf = async () => (await files.stat(path))?.sizeBytes ?? 0
  const before = await sizeOf()
  let isFirst = true
  await again(async () => {
    const written = isFirst ? 0 : Math.max(0, (await sizeOf()) - before)
    isFirst = false
    await files.append(path, data.subarray(written), mode)
  })
}

async function wouldHelp(files: Files, folder: string, error: unknown): Promise<boolean> {
  if (!(error instanceof Error)) return false
  const { code, mount } = error as NodeJS.ErrnoException & { mount?: string }
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return false
  if (mount === undefined) return true
  return (await files.space(folder).catch(() => undefined))?.mount === mount
}
