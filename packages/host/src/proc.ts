import { readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import type { ProcessIdentity } from '@caretaker/ports/process.ts'

/** Name of the program that goes into a namespace, forks there, waits for its child and ends with it. */
export const WAY_IN = 'nsenter'

/** PF_KTHREAD of the kernel's sched.h, in the flags of proc_pid_stat(5). */
const KERNEL_THREAD_FLAG = 0x20_00_00

/** What /proc/PID/stat says of a living process or zombie, see proc_pid_stat(5). */
export interface ProcessStat {
  readonly pid: number
  /** Of its program, at most 15 characters. */
  readonly name: string
  /** One letter; Z and X have ended. */
  readonly state: string
  readonly groupId: number
  readonly parentPid: number
  /** It has no program, environment or limits of its own. */
  readonly isKernelThread: boolean
  /** Clock ticks between the boot and the start of the process. */
  readonly startTicks: number
}

/** Undefined when there is no such process. */
export function readStat(pid: number): ProcessStat | undefined {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return undefined
  }
  // The second field is the program's name in parentheses and may itself hold spaces and parentheses.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return {
    pid,
    name: text.slice(text.indexOf('(') + 1, text.lastIndexOf(')')),
    state: fields[0] ?? 'X',
    groupId: Number(fields[2]),
    parentPid: Number(fields[1]),
    isKernelThread: (Number(fields[6]) & KERNEL_THREAD_FLAG) !== 0,
    startTicks: Number(fields[19]),
  }
}

export function hasEnded(stat: ProcessStat): boolean {
  return stat.state === 'Z' || stat.state === 'X' || stat.state === 'x'
}

/** Whether the very process still runs: same pid, same start, same boot, and not a zombie. */
export function isIdentityAlive(identity: ProcessIdentity): boolean {
  if (identity.bootId !== readBootId()) return false
  const stat = readStat(identity.pid)
  return stat !== undefined && stat.startTicks === identity.startTicks && !hasEnded(stat)
}

/** The pids of all processes we can see. */
export async function listPids(): Promise<readonly number[]> {
  return (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
}

/** Whether a process of the group still runs; zombies do not. */
export async function isGroupAlive(groupId: number): Promise<boolean> {
  return (await listPids()).some((pid) => {
    const stat = readStat(pid)
    return stat?.groupId === groupId && !hasEnded(stat)
  })
}

/**
 * One variable of the environment a process was started with; undefined when it has none or we may not look. Read at once:
 * the kernel has it in memory, and handing each of hundreds of reads to another thread takes ten times as long.
 */
export function readVariable(pid: number, name: string): string | undefined {
  try {
    const environment = readFileSync(`/proc/${pid}/environ`, 'utf8')
    const prefix = `${name}=`
    return environment
      .split('\0')
      .find((entry) => entry.startsWith(prefix))
      ?.slice(prefix.length)
  } catch {
    return undefined
  }
}

let bootIdOnce: string | undefined

/** Changes with every boot. */
export function readBootId(): string {
  bootIdOnce ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  return bootIdOnce
}
