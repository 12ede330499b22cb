import { chmod, chown, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'

/** Puts back what was there. */
export type Mend = () => Promise<unknown>

/** Replaces the content of a file, or removes it. */
export async function damage(path: string, content: string | undefined): Promise<Mend> {
  const before = await readFile(path)
  const { mode, uid, gid } = await stat(path)
  if (content === undefined) await rm(path)
  else await writeFile(path, content)
  return async () => {
    await writeFile(path, before, { mode })
    await chown(path, uid, gid)
  }
}

/** Leaves the first half of a file. */
export async function halve(path: string): Promise<Mend> {
  const text = await readFile(path, 'utf8')
  return damage(path, text.slice(0, text.length / 2))
}

/** Moves a file or folder away. */
export async function moveAway(path: string): Promise<Mend> {
  await rename(path, `${path}.aside`)
  return async () => {
    await rm(path, { recursive: true, force: true })
    await rename(`${path}.aside`, path)
  }
}

/** A folder in the place of a file, whether there is one yet or not. */
export async function replaceByFolder(path: string): Promise<Mend> {
  const isThere = await stat(path).then(
    () => true,
    () => false,
  )
  const mend = isThere ? await moveAway(path) : () => rm(path, { recursive: true, force: true })
  await mkdir(path, { recursive: true })
  return mend
}

/** A file that should not be there. */
export async function plant(path: string, content: string): Promise<Mend> {
  await writeFile(path, content)
  return () => rm(path)
}

/** An empty folder that should not be there. */
export async function makeFolder(path: string): Promise<Mend> {
  await mkdir(path)
  return () => rm(path, { recursive: true })
}

export async function changeMode(path: string, mode: number): Promise<Mend> {
  const before = (await stat(path)).mode
  await chmod(path, mode)
  return () => chmod(path, before)
}
