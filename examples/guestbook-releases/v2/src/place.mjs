import { join } from 'node:path'

/** Where the file of a row lies, relative to the folder of files. `file` has `id` and `sha256`. */
export function placeOf(file) {
  return join(file.sha256.slice(0, 2), file.id)
}
