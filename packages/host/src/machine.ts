import { readFile } from 'node:fs/promises'
import { availableParallelism, hostname, totalmem, userInfo } from 'node:os'
import type { Owner } from '@caretaker/ports/files.ts'
import type { Machine } from '@caretaker/ports/machine.ts'
import { memoryLimitBytes } from './memory-limit.ts'
import { readBootId } from './proc.ts'

/** Facts about this machine. Memory is what this process may use: a limit of its control group counts. */
export function createMachine(): Machine {
  return {
    bootId: async () => readBootId(),
    memoryBytes: () => Math.min(totalmem(), memoryLimitBytes() ?? Number.POSITIVE_INFINITY),
    cpuCount: () => availableParallelism(),
    hostName: () => hostname(),
    user: currentUser,
    findUser: async (name) => findInPasswd(await readFile('/etc/passwd', 'utf8'), name),
  }
}

/** A user without an entry in the user database is named by its number. */
function currentUser(): Owner & { readonly name: string } {
  const uid = process.getuid?.() ?? -1
  const gid = process.getgid?.() ?? -1
  try {
    return { uid, gid, name: userInfo().username }
  } catch {
    return { uid, gid, name: String(uid) }
  }
}

/** The user's line of a passwd(5) file: name:password:uid:gid:… */
export function findInPasswd(passwd: string, name: string): Owner | undefined {
  const fields = passwd
    .split('\n')
    .map((line) => line.split(':'))
    .find((entry) => entry[0] === name)
  if (!fields?.[2] || !fields[3]) return undefined
  return { uid: Number(fields[2]), gid: Number(fields[3]) }
}
