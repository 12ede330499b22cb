import { realpathSync } from 'node:fs'

/** The path without any link in it; the path itself where nothing is there. */
export function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}
