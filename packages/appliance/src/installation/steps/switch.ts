import { AppError } from '@caretaker/kernel/errors.ts'
import { MINUTE_MS } from '@caretaker/kernel/time.ts'
import { switchLink } from '@caretaker/ports/durable.ts'
import type { Ports } from '@caretaker/ports/ports.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import { PLACES, SERVICE_UNIT, SHUTDOWN_UNIT } from '../places.ts'
import { runSystemctl, unitProperties } from '../systemd.ts'
import { STAMP_VARIABLE } from '../unit-files.ts'

type SwitchPorts = Pick<Ports, 'files' | 'processes'>
type Input = { readonly build: string; readonly stamp: string }

/**
 * Puts a build in force and restarts the daemon, which leaves what runs running. A build whose daemon does not come up
 * is taken back, and the one before starts again.
 */
export const installSwitch = (ports: SwitchPorts) =>
  defineStep<Input, { readonly target: string | null }>({
    kind: 'install.switch',
    describe: ({ build }) =>
      `Put ${build} in force and start its daemon; applications that run are not interrupted`,
    async check({ build, stamp }) {
      const target = await ports.files.readLink(PLACES.current)
      const isInForce = target === build && (await runningStamp(ports)) === stamp
      return isInForce ? { state: 'done' } : { state: 'needed', before: { target: target ?? null } }
    },
    async apply({ build, stamp }, _before, { signal }) {
      await switchLink(ports.files, build, PLACES.current)
      await runSystemctl(ports, ['start', SHUTDOWN_UNIT], signal)
      await runSystemctl(ports, ['restart', SERVICE_UNIT], signal)
      const running = await runningStamp(ports)
      if (running === stamp) return
      throw new AppError('DAEMON_OTHER_VERSION', {
        what: `${build} was not put in force`,
        why: running ? `the daemon that runs is ${running}` : 'its daemon does not run',
        next: `Look at "journalctl -u ${SERVICE_UNIT}", and at drop-ins with "systemctl cat ${SERVICE_UNIT}"`,
      })
    },
    async undo(_input, { target }) {
      if (target === null) {
        await runSystemctl(ports, ['stop', SERVICE_UNIT])
        await ports.files.remove(PLACES.current)
        return
      }
      await switchLink(ports.files, target, PLACES.current)
      await runSystemctl(ports, ['restart', SERVICE_UNIT])
    },
    timeoutMs: 20 * MINUTE_MS,
  })

/** The stamp of the daemon that systemd runs; undefined while none is up. */
export async function runningStamp({ files, processes }: SwitchPorts): Promise<string | undefined> {
  const { ActiveState, MainPID } = await unitProperties({ processes }, SERVICE_UNIT, [
    'ActiveState',
    'MainPID',
  ])
  if (ActiveState !== 'active' || MainPID === '0') return undefined
  const environment = (await files.readText(`/proc/${MainPID}/environ`).catch(() => undefined)) ?? ''
  const prefix = `${STAMP_VARIABLE}=`
  return environment
    .split('\0')
    .find((entry) => entry.startsWith(prefix))
    ?.slice(prefix.length)
}
