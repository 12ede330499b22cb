// Where the local appliance of this clone keeps its state: the folder .caretaker beside this one.
import { createHash } from 'node:crypto'
import { existsSync, lstatSync, mkdirSync, statSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { root } from './bootstrap.mjs'

const OTHERS_MAY_PASS = 0o001

/**
 * The state folder of this clone. Postgres and the applications never run as root: when root started us in a folder
 * that other users cannot reach, .caretaker is a link to a folder that they can.
 */
export function localStateFolder() {
  const folder = join(root, '.caretaker')
  if (existsSync(folder) || lstatSync(folder, { throwIfNoEntry: false })?.isSymbolicLink()) return folder
  if (process.getuid() === 0 && !isReachable(root)) {
    const elsewhere = `/var/lib/caretaker/clone-${createHash('sha256').update(root).digest('hex').slice(0, 12)}`
    mkdirSync(elsewhere, { recursive: true, mode: 0o711 })
    symlinkSync(elsewhere, folder)
  } else {
    mkdirSync(folder, { mode: 0o711 })
  }
  return folder
}

/** Whether users who own nothing here can pass through to the folder. */
export function isReachable(folder) {
  for (let each = folder; ; each = dirname(each)) {
    if ((statSync(each).mode & OTHERS_MAY_PASS) === 0) return false
    if (each === '/') return true
  }
}
