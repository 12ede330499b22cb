/** The release this folder holds; the same as `x-caretaker.version` in compose.yml. */
export const release = '2'
