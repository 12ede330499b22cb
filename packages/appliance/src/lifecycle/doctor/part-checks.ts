import { join } from 'node:path'
import { formatDuration, MINUTE_MS, SECOND_MS } from '@caretaker/kernel/time.ts'
import type { StrayProcess } from '@caretaker/ports/process.ts'
import { serviceNamed } from '../../application/application.ts'
import { checkPostgres } from '../../database/health.ts'
import { assertCluster } from '../../database/inspect.ts'
import { CELL } from '../../runtime/cells.ts'
import { probeHealth } from '../../runtime/health.ts'
import { readLogTail } from '../../runtime/logs.ts'
import { findOwnProcesses } from '../../runtime/own-processes.ts'
import { serviceKey } from '../../runtime/runtime.ts'
import { adminAddress, clusterOf, POSTGRES_SERVICE, postgresPrograms } from '../app-database.ts'
import { type Appliance, programFolder } from '../appliance.ts'
import { readFacts } from '../facts.ts'
import { observeApps } from '../observe.ts'
import { seenProblems } from '../problems.ts'
import { serviceSpec } from '../service-specs.ts'
import { isSealWhole } from './file-checks.ts'
import { type ApplianceCheck, asFound, type Found, type Scene } from './finding.ts'
import { waysBack } from './way-back-check.ts'

/** The unit of start times in /proc: USER_HZ, 100 on every processor we run on. */
const TICKS_PER_SECOND = 100
const JUMP_MS = 5 * MINUTE_MS
const PROBE_LIMIT_MS = 5 * SECOND_MS
const LOG_LINES = 2000
/** What Postgres writes when it meets pages that are not what it wrote. */
const DAMAGED_PAGES =
  /page verification failed|invalid page in block|could not read block|checksum mismatch|incorrect data checksum/

/** What runs, and what it needs. */
export const PART_CHECKS: readonly ApplianceCheck[] = [
  { name: 'programs', says: 'Node and Postgres are there', look: programs },
  { name: 'time zone', says: 'the machine knows the time zone', look: timeZone },
  { name: 'daemon', says: 'no daemon of another version runs', look: daemonVersion },
  { name: 'failures', says: 'no part has failed', look: failures },
  { name: 'parts', says: 'every part runs', look: parts },
  { name: 'clock since the start', says: 'the clock was not set while services ran', look: jumps },
  { name: 'databases', says: 'every Postgres answers, on data that is whole', look: databases },
  { name: 'applications', says: 'every application is healthy', look: applications },
  { name: 'way back', says: 'every release that ran before can come back', look: waysBack },
  { name: 'processes', says: 'nothing runs that nobody remembers', look: leftovers },
  { name: 'service mode', says: 'no planned end has passed', look: plannedEnd },
]

async function programs({ appliance }: Scene): Promise<readonly Found[]> {
  const folder = await programFolder(appliance, 'node')
  if (!(await appliance.ports.files.stat(join(folder, 'bin', 'node')))) {
    const next = 'Build caretaker again ("npm start" does it), or install it anew'
    return [{ code: 'COMMAND_NOT_FOUND', what: `${join(folder, 'bin', 'node')} is missing`, next }]
  }
  await postgresPrograms(appliance)
  return []
}

async function timeZone({ appliance }: Scene): Promise<readonly Found[]> {
  const zone = appliance.config.identity.time_zone
  if (zone === 'UTC' || (await appliance.ports.files.stat(join('/usr/share/zoneinfo', zone)))) return []
  const what = `the machine has no data of ${zone}; programs that use the C library show UTC`
  return [{ result: 'notice', code: 'TIME_ZONE_MISSING', what, next: 'Install it: "apt-get install tzdata"' }]
}

async function daemonVersion({ appliance, daemon }: Scene): Promise<readonly Found[]> {
  const { version } = appliance.programs
  if (!daemon || daemon.version === version) return []
  const what = `the daemon (pid ${daemon.pid}) is version ${daemon.version}, this command ${version}`
  return [{ code: 'DAEMON_OTHER_VERSION', what, next: 'Restart it: "systemctl restart caretaker"' }]
}

/** A service knows by the wall clock and by the time since the boot when it was started; the two must agree. */
async function jumps({ appliance }: Scene): Promise<readonly Found[]> {
  const { ports, runtime } = appliance
  const uptime = Number((await ports.files.readText('/proc/uptime'))?.split(' ')[0])
  if (!Number.isFinite(uptime)) return []
  for (const { app, service, startedAt, identity, state } of await runtime.list()) {
    if (state !== 'running' || !identity) continue
    const ranMs = (uptime - identity.startTicks / TICKS_PER_SECOND) * 1000
    const jumpedMs = ports.clock.now().getTime() - Date.parse(startedAt) - ranMs
    if (ranMs < 0 || Math.abs(jumpedMs) < JUMP_MS) continue
    const name = app === '-' ? service : `${app} ${service}`
    const what = `since the start of ${name} it was set ${jumpedMs > 0 ? 'ahead' : 'back'} by ${formatDuration(Math.abs(jumpedMs))}`
    const next =
      'See that the time is right now ("timedatectl"); services that cannot bear it: "caretaker app restart NAME"'
    return [{ code: 'CLOCK_JUMPED', what, next }]
  }
  return []
}

async function failures({ appliance: { ports, stateFolder } }: Scene): Promise<readonly Found[]> {
  const known = (await readFacts(ports.files, stateFolder)).failures
  return Object.entries(known).map(([part, { code, what, why, next }]) => ({
    code,
    what: `${part}: ${what}: ${why}`,
    next,
  }))
}

async function parts({ appliance, daemon }: Scene): Promise<readonly Found[]> {
  return (await seenProblems(appliance, daemon?.pid)).map(({ part, code, reason, next }) => ({
    code,
    what: `${part}: ${reason}`,
    next,
  }))
}

async function databases({ appliance }: Scene): Promise<readonly Found[]> {
  const { ports, runtime, secrets } = appliance
  const found: Found[] = []
  for (const { app, record } of await observeApps(appliance)) {
    if (!record.databaseCreated) continue
    const cluster = clusterOf(appliance, app)
    await assertCluster(ports.files, cluster).catch((error: unknown) => found.push(asFound(error)))
    const logs = `caretaker logs ${app} postgres`
    const damage = (await readLogTail(ports.files, cluster.logFile, LOG_LINES)).findLast((line) =>
      DAMAGED_PAGES.test(line),
    )
    if (damage !== undefined) {
      const what = `Postgres of ${app} wrote: ${damage.slice(0, 300)}`
      const next = `Look at the disk ("dmesg", "smartctl") and at "${logs}"; then bring ${app} back from a backup`
      found.push({ code: 'POSTGRES_DATA_DAMAGED', what, next })
    }
    if ((await runtime.status(app, POSTGRES_SERVICE))?.state !== 'running') continue
    // To ask for a password that is lost would make a new one; a seal that is lost is said already.
    if (!(await isSealWhole(appliance))) continue
    if (!(await secrets.find(`${app}/superuser`))) {
      const what = `the password for Postgres of ${app} is lost`
      found.push({ code: 'STATE_DAMAGED', what, next: '"caretaker up" makes a new one' })
      continue
    }
    const health = await checkPostgres(ports.databases, await adminAddress(appliance, app))
    if (health.state === 'ready') continue
    const what = `Postgres of ${app} is ${health.state}: ${health.why}`
    found.push({ code: 'POSTGRES_UNREACHABLE', what, next: `"${logs}" says more; then "caretaker up"` })
  }
  return found
}

async function applications({ appliance }: Scene): Promise<readonly Found[]> {
  const found: Found[] = []
  if (!(await isSealWhole(appliance))) return []
  for (const { app, record, running } of await observeApps(appliance)) {
    if (!running || record.stopped) continue
    if (running.application.database && !(await appliance.secrets.find(`${app}/database`))) continue
    for (const { name } of running.application.services) {
      if ((await appliance.runtime.status(app, name, record.slot))?.state !== 'running') continue
      const spec = await serviceSpec(appliance, running, record, serviceNamed(running.application, name))
      if (!spec.health) continue
      const limited = {
        ...spec,
        health: { ...spec.health, timeoutMs: Math.min(spec.health.timeoutMs, PROBE_LIMIT_MS) },
      }
      const never = new AbortController().signal
      const health = await probeHealth(appliance.ports, appliance.runtime, limited, never)
      if (health.state === 'healthy') continue
      const what = `the service ${name} of ${app} is not healthy: ${health.why}`
      found.push({ code: 'SERVICE_UNHEALTHY', what, next: `Look at "caretaker logs ${app} ${name}"` })
    }
  }
  return found
}

async function leftovers({ appliance }: Scene): Promise<readonly Found[]> {
  const { ports, runtime, config, folders, serviceUser } = appliance
  const known = new Set(
    (await runtime.list()).map(({ app, service, slot }) => `${app}/${serviceKey(service, slot)}`),
  )
  // The service user has no other processes; an ordinary user's own ones are nobody's business.
  const strays = serviceUser ? await ports.processes.findStrays(serviceUser.uid) : []
  const unremembered = (await findOwnProcesses(ports.processes, config.id, folders.processes))
    .filter(
      ({ label }) =>
        label.service !== CELL &&
        !label.service.startsWith('run@') &&
        !known.has(`${label.app}/${label.service}`),
    )
    .map(({ identity, label }) => ({
      code: 'PROCESS_LEFTOVER',
      what: `process ${identity.pid} runs ${label.service} of ${label.app}, and nothing remembers it`,
      next: '"caretaker up" ends it',
    }))
  return [...unremembered, ...(await Promise.all(strays.map((stray) => strayFound(appliance, stray))))]
}

/** Only what works in a folder of ours was ours; the user may run other things, and other appliances share it. */
async function strayFound(
  { ports, folders, stateFolder }: Appliance,
  { identity: { pid }, name }: StrayProcess,
): Promise<Found> {
  const place = await ports.files.readLink(`/proc/${pid}/cwd`).catch(() => undefined)
  const ours = [stateFolder, folders.data, folders.volatile]
  const isOurs =
    place !== undefined && ours.some((folder) => place === folder || place.startsWith(`${folder}/`))
  const what = `process ${pid} (${name}) runs as the service user, and no service that runs has started it`
  if (isOurs) {
    const next = `A service left it behind. Look at it ("ps -fp ${pid}"), then end it: kill ${pid}`
    return { code: 'PROCESS_LEFTOVER', what, next }
  }
  const where = place === undefined ? '' : `; it works in ${place}, which is no folder of this appliance`
  const next = `Find out whose it is ("ps -fp ${pid}"); another appliance, or somebody else, may need it`
  return { result: 'notice', code: 'PROCESS_LEFTOVER', what: `${what}${where}`, next }
}

async function plannedEnd({ appliance: { ports, stateFolder } }: Scene): Promise<readonly Found[]> {
  const { manual } = await readFacts(ports.files, stateFolder)
  if (manual?.until === undefined || Date.parse(manual.until) > ports.clock.now().getTime()) return []
  const what = `it was planned to end at ${manual.until}: ${manual.reason}`
  return [{ result: 'notice', code: 'SERVICE_MODE', what, next: 'caretaker service off' }]
}
