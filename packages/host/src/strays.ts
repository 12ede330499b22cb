import { readFile, readlink, stat } from 'node:fs/promises'
import type { StrayProcess } from '@caretaker/ports/process.ts'
import { LABEL_VARIABLE } from './label.ts'
import { hasEnded, listPids, readBootId, readStat, readVariable } from './proc.ts'

/**
 * See `Processes.findStrays`. Those in a container are none: they have a pid namespace of their own, and its engine
 * looks after them.
 */
export async function findStrays(uid: number): Promise<readonly StrayProcess[]> {
  const here = await readlink('/proc/self/ns/pid')
  const found = await Promise.all((await listPids()).map((pid) => describeStray(pid, uid, here)))
  return found.filter((entry) => entry !== undefined)
}

async function describeStray(pid: number, uid: number, here: string): Promise<StrayProcess | undefined> {
  try {
    if ((await stat(`/proc/${pid}`)).uid !== uid) return undefined
    const seen = readStat(pid)
    if (!seen || hasEnded(seen) || (await readlink(`/proc/${pid}/ns/pid`)) !== here) return undefined
    if (!(await isLeftBehind(pid, uid))) return undefined
    const name = (await readFile(`/proc/${pid}/comm`, 'utf8')).trim()
    return { identity: { pid, startTicks: seen.startTicks, bootId: readBootId() }, name }
  } catch {
    // It ended while it was looked at.
    return undefined
  }
}

/** Whether neither it nor a parent of it carries a label, and whoever started them has ended: process 1 has them now. */
async function isLeftBehind(pid: number, uid: number): Promise<boolean> {
  for (let each = pid; ; each = readStat(each)?.parentPid ?? 0) {
    if (each === 1) return true
    if (each === 0 || (await stat(`/proc/${each}`)).uid !== uid) return false
    if (readVariable(each, LABEL_VARIABLE) !== undefined) return false
  }
}
