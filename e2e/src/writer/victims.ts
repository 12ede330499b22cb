import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { StatusDocument, TestAppliance } from '../support/appliance.ts'
import { isAlive } from '../support/observe.ts'
import type { Victim } from './kill-plan.ts'

/** Sends SIGKILL to those that are there at this moment, by the pids of `status`, and says who that was. */
export async function killNow(
  appliance: TestAppliance,
  victims: readonly Victim[],
  supervisorPid: () => number | undefined,
): Promise<readonly Victim[]> {
  const status = await appliance.json<StatusDocument>('status')
  const found = victims.flatMap((victim) => {
    if (victim === 'engine') return []
    const pid = victim === 'supervisor' ? supervisorPid() : pidOf(appliance, status, victim)
    return pid !== undefined && isAlive(pid) ? [{ victim, pid }] : []
  })
  for (const { pid } of found) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It ended in this very moment.
    }
  }
  return found.map(({ victim }) => victim)
}

function pidOf(
  appliance: TestAppliance,
  status: StatusDocument,
  victim: Exclude<Victim, 'supervisor' | 'engine'>,
): number | undefined {
  switch (victim) {
    case 'daemon':
      return status.daemon.pid ?? undefined
    case 'gateway':
      return status.gateway.pid ?? undefined
    case 'caddy':
      return pidOfCaddy(appliance)
    case 'backend':
      return backendOf(serviceOf(status, 'postgres'))
    case 'postgres':
    case 'web':
    case 'worker':
      return serviceOf(status, victim)
  }
}

/** Of the Caddy that holds the ports of an appliance, while there is one. */
export function pidOfCaddy({ state }: Pick<TestAppliance, 'state'>): number | undefined {
  try {
    const record = readFileSync(join(state, 'processes/-.caddy.json'), 'utf8')
    const { pid } = (JSON.parse(record) as { identity: { pid: number } }).identity
    // A record may have outlived its process.
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('caddy\0') ? pid : undefined
  } catch {
    return undefined
  }
}

function serviceOf(status: StatusDocument, name: string): number | undefined {
  return status.apps
    .flatMap((app) => app.services)
    .find(({ service, state }) => service === name && state === 'running')?.pid
}

/** A process of Postgres that serves the application. */
function backendOf(postmaster: number | undefined): number | undefined {
  if (postmaster === undefined) return undefined
  try {
    const children = readFileSync(`/proc/${postmaster}/task/${postmaster}/children`, 'utf8')
    return children
      .split(' ')
      .filter(Boolean)
      .map(Number)
      .find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('postgres: guestbook '))
  } catch {
    return undefined
  }
}
