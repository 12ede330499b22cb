/** Where the file of a row lies, relative to the folder of files. `file` has `id` and `sha256`. */
export function placeOf(file) {
  return file.id
}
