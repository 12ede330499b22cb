import { join } from 'node:path'
import { thisBuild } from '../../installation/build.ts'
import { volumesElsewhere } from '../../installation/install.ts'
import { PLACES, SERVICE_UNIT, SHUTDOWN_UNIT, UNITS } from '../../installation/places.ts'
import { runningStamp } from '../../installation/steps/switch.ts'
import { unitProperties } from '../../installation/systemd.ts'
import { stampIn, unitFiles } from '../../installation/unit-files.ts'
import type { Surrounding } from '../appliance.ts'
import type { Found, MachineCheck } from './finding.ts'

const REPAIR = 'Type: caretaker install'

/** What is looked at when this state folder is that of the service of the machine. */
export const INSTALLATION_CHECKS: readonly MachineCheck[] = [
  {
    name: 'installation',
    says: 'the units are as they were installed, and start at every boot',
    look: units,
  },
  { name: 'systemd', says: 'systemd runs the daemon of the installed version, and watches it', look: daemon },
]

/** Whether the state folder is the one of an installed caretaker; only root may look closer. */
export async function isInstalled({ ports, stateFolder }: Surrounding): Promise<boolean> {
  if (stateFolder !== PLACES.state || ports.machine.user().uid !== 0) return false
  return (await ports.files.stat(PLACES.current)) !== undefined
}

async function units(around: Surrounding): Promise<readonly Found[]> {
  const { ports } = around
  const found: Found[] = []
  const { id } = await thisBuild(ports.files, around.programs)
  // Another version, run from its own folder, would write other units.
  const wanted =
    (await ports.files.readLink(PLACES.current)) === id ? unitFiles(id, await volumesElsewhere(around)) : {}
  for (const unit of UNITS) {
    const text = await ports.files.readText(join(PLACES.units, unit))
    if (text === undefined) found.push(broken(`${unit} is gone`))
    else if (wanted[unit] !== undefined && wanted[unit] !== text)
      found.push(broken(`${unit} is not what this version and this config need`))
    const { UnitFileState } = await unitProperties(ports, unit, ['UnitFileState'])
    if (text !== undefined && UnitFileState !== 'enabled')
      found.push(broken(`${unit} does not start with the machine (${UnitFileState || 'unknown to systemd'})`))
  }
  const { ActiveState } = await unitProperties(ports, SHUTDOWN_UNIT, ['ActiveState'])
  if (ActiveState !== 'active') {
    const what = `${SHUTDOWN_UNIT} is ${ActiveState}: the applications would be killed when the machine goes down`
    found.push({ code: 'INSTALLATION_INCOMPLETE', what, next: `Type: systemctl start ${SHUTDOWN_UNIT}` })
  }
  return found
}

async function daemon({ ports }: Surrounding): Promise<readonly Found[]> {
  const { ActiveState, WatchdogUSec, NRestarts } = await unitProperties(ports, SERVICE_UNIT, [
    'ActiveState',
    'WatchdogUSec',
    'NRestarts',
  ])
  if (ActiveState !== 'active') {
    const next = `Type: systemctl start ${SERVICE_UNIT}; "journalctl -u ${SERVICE_UNIT}" tells why it ended`
    return [{ code: 'DAEMON_UNREACHABLE', what: `${SERVICE_UNIT} is ${ActiveState}`, next }]
  }
  const found: Found[] = []
  const wanted = stampIn((await ports.files.readText(join(PLACES.units, SERVICE_UNIT))) ?? '')
  const running = await runningStamp(ports)
  if (running !== wanted) {
    const what = `the daemon that runs is ${running ?? 'of no installation'}, installed is ${wanted ?? 'none'}`
    const next = `Type: systemctl restart ${SERVICE_UNIT} (the applications go on)`
    found.push({ code: 'DAEMON_OTHER_VERSION', what, next })
  }
  if (WatchdogUSec === '0' || WatchdogUSec === 'infinity') {
    const what = 'systemd would not notice a daemon that hangs: a drop-in has taken WatchdogSec away'
    found.push({ code: 'INSTALLATION_INCOMPLETE', what, next: `Look at "systemctl cat ${SERVICE_UNIT}"` })
  }
  if (Number(NRestarts) > 0) {
    const what = `systemd has started the daemon again ${NRestarts} times`
    const next = `"journalctl -u ${SERVICE_UNIT}" tells why`
    found.push({ result: 'notice', code: 'DAEMON_UNREACHABLE', what, next })
  }
  return found
}

const broken = (what: string): Found => ({ code: 'INSTALLATION_INCOMPLETE', what, next: REPAIR })
