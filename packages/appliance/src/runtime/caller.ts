import type { Files } from '@caretaker/ports/files.ts'

/** Names a process of this machine that waits for a command, as PID.STARTTICKS: pids are used again. */
export async function callerOf(files: Pick<Files, 'readText'>, pid: number): Promise<string> {
  return `${pid}.${await startOf(files, `${pid}`)}`
}

/** Whether the process that {@link callerOf} has named is still there. */
export async function isCallerAlive(files: Pick<Files, 'readText'>, caller: string): Promise<boolean> {
  const [pid = '', start = ''] = caller.split('.')
  return /^\d+$/.test(pid) && (await startOf(files, pid)) === start
}

/** When a process started, in clock ticks since the boot: field 22 of proc_pid_stat(5); "gone" without one. */
export async function startOf(files: Pick<Files, 'readText'>, pid: string): Promise<string> {
  // It may end while it is read.
  const stat = await files.readText(`/proc/${pid}/stat`).catch(() => undefined)
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? 'gone'
}
