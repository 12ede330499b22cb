import type { Files } from '@caretaker/ports/files.ts'
import type { Ports } from '@caretaker/ports/ports.ts'
import type { Runtime } from '../runtime/runtime.ts'

/** What the kernel says of itself and of us, see proc(5). */
const KERNEL_FILES = {
  kernel: '/proc/version',
  load: '/proc/loadavg',
  uptime: '/proc/uptime',
  memory: '/proc/meminfo',
  limits: '/proc/self/limits',
  mounts: '/proc/self/mounts',
} as const

/** Memory, disk, kernel and limits of this machine; lines of the kernel as they are. */
export async function machineFacts(
  { files, machine, clock }: Pick<Ports, 'files' | 'machine' | 'clock'>,
  stateFolder: string,
): Promise<Readonly<Record<string, unknown>>> {
  const kernel = Object.entries(KERNEL_FILES).map(async ([name, path]) => [
    name,
    ((await files.readText(path).catch(() => undefined)) ?? '').trim().split('\n'),
  ])
  const { uid, name } = machine.user()
  return {
    now: clock.now().toISOString(),
    host: machine.hostName(),
    processors: machine.cpuCount(),
    memory_bytes: machine.memoryBytes(),
    user: { uid, name },
    state_folder_space: await files.space(stateFolder).catch(() => null),
    ...Object.fromEntries(await Promise.all(kernel)),
  }
}

/** What the processes of this appliance are called with and use; never their environment. */
export async function ownProcesses(
  files: Pick<Files, 'readText'>,
  runtime: Pick<Runtime, 'list'>,
  daemonPid: number | undefined,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const services = (await runtime.list()).map(({ app, service, state, pid }) => ({
    app,
    service,
    state,
    pid,
  }))
  const daemon =
    daemonPid === undefined ? [] : [{ app: '-', service: 'daemon', state: 'running', pid: daemonPid }]
  return Promise.all(
    [...daemon, ...services].map(async (known) => ({
      ...known,
      command: ((await read(files, known.pid, 'cmdline')) ?? '').split('\0').filter((word) => word !== ''),
      process: ((await read(files, known.pid, 'status')) ?? '')
        .split('\n')
        .filter((line) => SHOWN.test(line)),
    })),
  )
}

/** Lines of /proc/PID/status that say something to a helper. */
const SHOWN = /^(State|PPid|Uid|VmRSS|VmSwap|Threads|FDSize):/

function read(files: Pick<Files, 'readText'>, pid: number, name: string): Promise<string | undefined> {
  return files.readText(`/proc/${pid}/${name}`).catch(() => undefined)
}
