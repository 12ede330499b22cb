import { AppError } from '@caretaker/kernel/errors.ts'
import { reveal, Secret } from '@caretaker/kernel/secrets.ts'
import type { Files } from '@caretaker/ports/files.ts'
import type { ServiceSpec } from '../runtime.ts'

/** What caretaker puts into every container, read-only. */
export const INSIDE = {
  busybox: '/run/caretaker/busybox',
  secrets: '/run/caretaker/secrets',
} as const

/**
 * Reads the variables that hold secrets, looks the program up as exec does, and becomes it: only that process has them
 * in its environment. The program is looked up here because busybox takes `ls` for its own `ls`, not for the image's.
 */
const BECOME = `program=$1; shift
case $program in
*/*) ;;
*) IFS=:; for folder in $PATH; do
  if [ -f "$folder/$program" ] && [ -x "$folder/$program" ]; then program=$folder/$program; break; fi
done; unset IFS ;;
esac
case $program in
*/*) exec "$program" "$@" ;;
*) echo "caretaker: $program: not found" >&2; exit 127 ;;
esac`

/** What stands before a command that needs the secret variables. */
export function enterWords(hasSecrets: boolean): readonly string[] {
  return hasSecrets ? [INSIDE.busybox, 'sh', '-c', `. ${INSIDE.secrets}\n${BECOME}`, 'caretaker'] : []
}

/** What stands before a command that is run inside a running container, and is ended after a time. */
export function insideWords(hasSecrets: boolean, seconds: number): readonly string[] {
  const enter = hasSecrets ? enterWords(true) : [INSIDE.busybox, 'sh', '-c', BECOME, 'caretaker']
  return [INSIDE.busybox, 'timeout', '-s', 'KILL', String(seconds), ...enter]
}

/** The variables of a spec that hold secrets, as a shell reads them; undefined when there are none. */
export function secretVariables({ env }: Pick<ServiceSpec, 'env'>): string | undefined {
  const lines = Object.entries(env)
    .filter(([, value]) => value instanceof Secret)
    .map(([name, value]) => `export ${name}='${reveal(value).replaceAll("'", `'\\''`)}'\n`)
  return lines.length === 0 ? undefined : lines.join('')
}

/** Where Debian and others have it. */
const BUSYBOXES = ['/usr/bin/busybox', '/bin/busybox', '/usr/lib/caretaker/busybox']

/** How far into a program the name of the loader stands that it needs. */
const HEAD_BYTES = 4096

/**
 * The busybox of this machine that runs in any image. @throws AppError COMMAND_NOT_FOUND naming the package
 */
export async function findBusybox(files: Pick<Files, 'stat' | 'read'>): Promise<string> {
  for (const path of BUSYBOXES) {
    if ((await files.stat(path))?.kind !== 'file') continue
    const head = Buffer.from(await files.read(path)).subarray(0, HEAD_BYTES)
    if (!head.includes('/ld-')) return path
  }
  throw new AppError('COMMAND_NOT_FOUND', {
    what: 'Containers cannot be started',
    why: 'secrets reach them by a static busybox of this machine, and there is none',
    next: 'Install it ("apt install busybox-static"), then repeat the command',
  })
}
