import { isAppError } from '@caretaker/kernel/errors.ts'
import { formatBytes } from '@caretaker/kernel/units.ts'
import { findLockHolder } from '@caretaker/steps/operation-lock.ts'
import { listOperations } from '@caretaker/steps/operations.ts'
import { jobProblems } from '../jobs/job-problems.ts'
import { memoryWords } from '../runtime/health.ts'
import { APPLIANCE, type DamagedRecord, type ServiceStatus } from '../runtime/runtime.ts'
import { makeMetadataRoom, metadataLeft } from '../storage/space.ts'
import type { StorageSpace } from '../storage/storage.ts'
import { listAppRecords, readAppRecord } from './app-records.ts'
import type { Appliance } from './appliance.ts'
import { type PartProblem, START_DAEMON } from './appliance-state.ts'
import { lostStorage } from './check-storage.ts'
import { type Facts, readFacts } from './facts.ts'
import { CADDY_SERVICE, GATEWAY_SERVICE } from './gateway-service.ts'
import { isMoved, missingServices, readingOnce } from './missing-services.ts'
import { foreignHolder } from './service-ports.ts'
import { stateDiskTroubles } from './state-disk.ts'

/** What the runtime knows; that the engine does not answer is a problem of its own. */
async function listServices(
  { runtime }: Appliance,
  problems: PartProblem[],
  since: string,
): Promise<readonly ServiceStatus[] | undefined> {
  try {
    return await runtime.list()
  } catch (error) {
    if (!isAppError(error, 'ENGINE_UNREACHABLE')) throw error
    const { code, why, next } = error.toReport()
    problems.push({
      part: 'engine',
      code,
      reason: `the container engine cannot be reached: ${why}`,
      next,
      since,
    })
    return undefined
  }
}

/** What should run and does not, unless an operation is at it; and what runs as something else than the config says. */
async function missingProblems(
  appliance: Appliance,
  facts: Facts,
  known: readonly ServiceStatus[],
  since: string,
): Promise<readonly PartProblem[]> {
  if (await findLockHolder(appliance.ports, appliance.stateFolder)) return []
  const moved = new Set(known.filter((status) => isMoved(appliance, status)).map(({ app }) => app))
  const missing = await missingServices(appliance, facts, known, readingOnce()(appliance))
  return [
    ...[...moved].map((part) => ({
      part,
      code: 'CONFIG_NOT_APPLIED',
      reason: `it still runs ${appliance.runtime.kind === 'docker' ? 'as processes' : 'in containers'}, and the config says "runtime: ${appliance.runtime.kind}"`,
      next: '"caretaker up" stops it and starts it as the config says',
      since,
    })),
    ...missing.map(({ app, service }) => ({
      part: app,
      code: 'SERVICE_START_FAILED',
      reason: `the service ${service} does not run`,
      next: `The daemon starts it in a moment; without one, "caretaker up" does. "caretaker logs ${app} ${service}" tells what it wrote last`,
      since,
    })),
  ]
}

/** Of what nobody has gone on with since whoever changed a release was killed: before all else, since it keeps it down. */
async function interruptedChanges({
  ports,
  folders,
  stateFolder,
}: Appliance): Promise<readonly PartProblem[]> {
  if (await findLockHolder(ports, stateFolder)) return []
  const problems: PartProblem[] = []
  for (const part of await listAppRecords(ports.files, folders.apps)) {
    // A damaged record is told by its application.
    const record = await readAppRecord(ports.files, folders.apps, part).catch(() => undefined)
    if (!record?.updating) continue
    const { fromVersion, toVersion, since } = record.updating
    problems.push({
      part,
      code: 'UPDATE_UNFINISHED',
      reason: `its change from ${fromVersion} to ${toVersion} was interrupted and is neither finished nor taken back`,
      next: 'The daemon takes it back in a moment; without one, "caretaker up" does',
      since,
    })
  }
  return problems
}

/** What does not work right now although no operation failed: the parts that make the appliance degraded. */
export async function seenProblems(
  appliance: Appliance,
  daemonPid: number | undefined,
): Promise<readonly PartProblem[]> {
  const { ports, stateFolder } = appliance
  const facts = await readFacts(ports.files, stateFolder)
  const since = ports.clock.now().toISOString()
  const problems: PartProblem[] = (await stateDiskTroubles(appliance)).map(({ code, what, next }) => ({
    part: 'state folder',
    code,
    reason: what,
    next,
    since,
  }))
  // What does not run is not missed.
  const isEnded = daemonPid === undefined && facts.daemonEnded !== undefined
  if (facts.wanted === 'down' || isEnded) return problems
  if (facts.activity?.kind === 'stopping' && (await findLockHolder(ports, stateFolder))) return problems
  problems.push(...(await interruptedChanges(appliance)))
  if (daemonPid === undefined && facts.startedBefore) {
    problems.push({
      part: 'daemon',
      code: 'DAEMON_UNREACHABLE',
      reason: 'no daemon runs, so nothing restarts what ends and no job runs',
      next: START_DAEMON,
      since,
    })
  }
  if (
    facts.startedBefore &&
    (await appliance.runtime.status(APPLIANCE, GATEWAY_SERVICE))?.state !== 'running'
  ) {
    problems.push({
      part: 'gateway',
      code: 'GATEWAY_UNREACHABLE',
      reason: 'the gateway does not run, so nobody reaches the applications',
      next: 'caretaker up',
      since,
    })
  }
  const byCaddy = appliance.config.gateway.engine === 'caddy'
  if (
    byCaddy &&
    facts.startedBefore &&
    (await appliance.runtime.status(APPLIANCE, CADDY_SERVICE))?.state !== 'running'
  ) {
    problems.push({
      part: 'caddy',
      code: 'GATEWAY_UNREACHABLE',
      reason: 'Caddy does not run, so nobody reaches the applications',
      next: 'caretaker up',
      since,
    })
  }
  const services = await listServices(appliance, problems, since)
  if (services) problems.push(...(await missingProblems(appliance, facts, services, since)))
  for (const found of services ?? []) {
    if (found.app === APPLIANCE) continue
    if (found.state === 'running') {
      const foreign = await foreignHolder(appliance, found.app, found.service, found.slot)
      if (foreign !== undefined) {
        problems.push({
          part: found.app,
          code: 'PORT_IN_USE',
          reason: `the service ${found.service} has lost its port: ${foreign}`,
          next: 'The daemon starts it on another port in a moment; without one, "caretaker up" does',
          since,
        })
      }
      continue
    }
    problems.push({
      part: found.app,
      code: 'SERVICE_START_FAILED',
      reason: `the service ${found.service} has ended${found.outOfMemory ? `: ${memoryWords()}` : ''}`,
      next: `Look at "caretaker logs ${found.app} ${found.service}", then "caretaker up"`,
      since,
    })
  }
  for (const record of await appliance.runtime.damaged()) {
    problems.push({ part: 'processes', code: 'STATE_DAMAGED', ...damagedRecord(record), since })
  }
  for (const entry of await listOperations(ports.files, stateFolder)) {
    if (entry.state !== 'damaged') continue
    problems.push({
      part: 'operations',
      code: 'JOURNAL_DAMAGED',
      reason: `the journal of ${entry.operation} is damaged: ${entry.purpose}`,
      next: 'Look at the disk ("dmesg"), then set the file aside',
      since,
    })
  }
  const lost = facts.failures.appliance ? undefined : (await lostStorage(appliance))?.toReport()
  if (lost) {
    const { code, why, next } = lost
    problems.unshift({ part: 'storage', code, reason: `the data volume cannot be used: ${why}`, next, since })
  }
  const space = await appliance.storage.space().catch(() => undefined)
  if (space?.warn) problems.push(spaceProblem(space, appliance.folders.data, since))
  return [...problems, ...(await jobProblems(appliance))]
}

/** What is said of a record of a service that is or was damaged. */
export function damagedRecord({ app, service, file, setAside }: DamagedRecord): {
  readonly reason: string
  readonly next: string
} {
  const name = app === APPLIANCE ? `the ${service}` : `the service ${service} of ${app}`
  if (setAside) {
    const reason = `the record of ${name} was damaged; it is set aside in ${file}, and ${name} goes on`
    return { reason, next: `Look at the disk ("dmesg"), then remove it: rm ${file}` }
  }
  const next = 'The daemon sets it aside in a moment; without one, "caretaker up" starts the service anew'
  return { reason: `the record of ${name}, ${file}, is damaged`, next }
}

/** The volume is nearly full, of data or of its own records. */
function spaceProblem(space: StorageSpace, root: string, since: string): PartProblem {
  const { metadata, belowReserve } = space
  const hurry = belowReserve
    ? 'Free space now, updates and clones are refused'
    : 'Make room before it is full'
  if (metadata && metadata.usedRatio > space.usedRatio) {
    return {
      part: 'storage',
      code: 'STORAGE_SPACE',
      reason: `on the data volume ${root} only ${metadataLeft(metadata)}`,
      next: `${hurry}. ${makeMetadataRoom(root)}`,
      since,
    }
  }
  return {
    part: 'storage',
    code: 'STORAGE_SPACE',
    reason: `the data volume ${root} is ${Math.round(space.usedRatio * 100)} % full, ${formatBytes(space.availableBytes)} are left`,
    next: `${hurry}: "du -xh ${root} | sort -h | tail" shows what uses it`,
    since,
  }
}
