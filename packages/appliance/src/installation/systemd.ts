import { MINUTE_MS } from '@caretaker/kernel/time.ts'
import { runToSuccess } from '@caretaker/ports/command.ts'
import type { Ports } from '@caretaker/ports/ports.ts'
import type { Command } from '@caretaker/ports/process.ts'

/** The daemon says that it is ready when the service page is shown; systemd gives up after this. */
const LIMIT_MS = 15 * MINUTE_MS

type SystemdPorts = Pick<Ports, 'processes'>

export function systemctl(...args: readonly string[]): Command {
  return {
    file: 'systemctl',
    args: ['--no-pager', ...args],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8' },
    timeoutMs: LIMIT_MS,
  }
}

/** @throws AppError COMMAND_FAILED, COMMAND_TIMEOUT, COMMAND_NOT_FOUND, CANCELLED */
export async function runSystemctl(
  { processes }: SystemdPorts,
  args: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  await runToSuccess(processes, systemctl(...args), signal)
}

/** Properties of a unit as systemd.directives(7) names them; a unit that is not there has them too. */
export async function unitProperties<Name extends string>(
  { processes }: SystemdPorts,
  unit: string,
  names: readonly Name[],
): Promise<Readonly<Record<Name, string>>> {
  const { stdout } = await runToSuccess(
    processes,
    systemctl('show', unit, ...names.map((name) => `--property=${name}`)),
  )
  const lines = stdout.split('\n').map((line) => {
    const at = line.indexOf('=')
    return [line.slice(0, at), line.slice(at + 1)] as const
  })
  const found = new Map(lines)
  return Object.fromEntries(names.map((name) => [name, found.get(name) ?? ''])) as Record<Name, string>
}
