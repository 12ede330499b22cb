import { MINUTE_MS } from '@caretaker/kernel/time.ts'
import { runToSuccess } from '@caretaker/ports/command.ts'
import type { Processes } from '@caretaker/ports/process.ts'

const COMMON = { env: { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C' }, timeoutMs: 10 * MINUTE_MS }

type Runner = Pick<Processes, 'run'>

/** Puts everything on the file system of `folder` on disk, in one call: a release has thousands of files. */
export async function syncTree(processes: Runner, folder: string, signal?: AbortSignal): Promise<void> {
  await runToSuccess(processes, { ...COMMON, file: 'sync', args: ['--file-system', '--', folder] }, signal)
}

/** Makes a tree readable by all and writable by its owner only. */
export async function makeReadOnlyForOthers(
  processes: Runner,
  folder: string,
  signal?: AbortSignal,
): Promise<void> {
  await runToSuccess(processes, { ...COMMON, file: 'chmod', args: ['-R', 'a+rX,go-w', '--', folder] }, signal)
}
