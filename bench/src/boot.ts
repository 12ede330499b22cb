import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { outputOf } from '@caretaker/e2e/machine/commands.ts'
import { DOMAIN, machineWithRelease } from '@caretaker/e2e/machine/installed.ts'
import { bootMachine, type Machine } from '@caretaker/e2e/machine/machine.ts'
import { root, until } from './programs.ts'
import { median, type Row } from './rows.ts'

const BOOTS = 5

/**
 * From the start of a machine (a container with systemd of its own) to its end of booting, to the service page and to
 * the application; beside the same machine without caretaker. Needs root and what `npm run engines` installs. Then what
 * it costs to tell systemd that the daemon lives.
 */
export async function boot(): Promise<readonly Row[]> {
  const plain = await plainBoots()
  const home = await mkdtemp('/var/tmp/caretaker-bench-')
  try {
    const source = join(home, 'guestbook')
    await outputOf(process.execPath, [join(root, 'examples/guestbook-releases/make.mjs'), 'v1', source])
    const readOnly = { '/mnt/guestbook': source }
    await using installed = await machineWithRelease(`guestbook.${DOMAIN}`, { readOnly })
    const installing = await timed(() => installed.install())
    await installed.ok('config', 'create', DOMAIN)
    await installed.ok('app', 'add', 'guestbook', '/mnt/guestbook')
    const times: { page: number; app: number; booted: number }[] = []
    for (let round = 0; round < BOOTS; round++) {
      await installed.machine.powerOff()
      const begun = performance.now()
      const since = () => performance.now() - begun
      const answers = async (wanted: (status: number) => boolean) => {
        await until(async () => {
          const reply = await installed.request('/').catch(() => undefined)
          return reply && wanted(reply.status) ? true : undefined
        })
        return since()
      }
      const booting = installed.machine.boot().then(since)
      const page = await answers(() => true)
      const app = await answers((status) => status === 200)
      times.push({ page, app, booted: await booting })
    }
    const beside = { what: 'the same machine without caretaker, booted', value: plain }
    const of = (part: 'page' | 'app' | 'booted') => median(times.map((entry) => entry[part]))
    return [
      { what: 'install on an empty machine', value: installing, unit: 'ms' },
      { what: 'boot to the service page', value: of('page'), unit: 'ms', beside },
      { what: 'boot to guestbook serving', value: of('app'), unit: 'ms', beside },
      { what: 'boot to the end of booting', value: of('booted'), unit: 'ms', beside },
      {
        what: 'one sign of life (systemd-notify), CPU',
        value: await signOfLife(installed.machine),
        unit: 'ms',
      },
    ]
  } finally {
    await rm(home, { recursive: true, force: true })
  }
}

async function plainBoots(): Promise<number> {
  await using machine = await bootMachine()
  const times: number[] = []
  for (let round = 0; round < BOOTS; round++) {
    await machine.powerOff()
    times.push(await timed(() => machine.boot()))
  }
  return median(times)
}

/** CPU of one message, in ms: that of a hundred, told to a socket where systemd listens. */
async function signOfLife(machine: Machine): Promise<number> {
  const script =
    'export NOTIFY_SOCKET=/run/systemd/notify; for i in $(seq 100); do systemd-notify WATCHDOG=1; done; cat /proc/$$/stat'
  const fields = (await machine.ok('sh', '-c', script)).trim().split(') ').at(-1)?.split(' ') ?? []
  // Ticks of 10 ms in user and system mode of the children that have ended, fields 16 and 17 of proc_pid_stat(5).
  return ((Number(fields[13]) + Number(fields[14])) * 10) / 100
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now()
  await work()
  return performance.now() - begun
}
