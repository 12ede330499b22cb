import type { Files } from '@caretaker/ports/files.ts'
import { readModes, removeSealed, seal, unseal } from './seal.ts'
import type { Trees } from './trees.ts'

/** Trees are folders, and copied file by file: by reflink where the file system can. */
export function directoryTrees(files: Files): Trees {
  return {
    measured: 'when-taken',
    create: (path) => files.makeFolder(path, 0o700),
    freeze: (from, to, signal) => files.copyTree(from, to, signal),
    modesOf: (path) => readModes(files, path),
    seal: (path, modes) => seal(files, path, modes),
    async thaw(from, to, modes, signal) {
      await files.copyTree(from, to, signal)
      await unseal(files, to, modes)
    },
    remove: (path) => removeSealed(files, path),
  }
}
