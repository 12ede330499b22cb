import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createHost } from '@caretaker/host/host.ts'
import { parse } from 'yaml'
import type { StatusDocument, TestAppliance } from '../support/appliance.ts'
import { processesOf, strays } from '../writer/leftovers.ts'
import { pidOfCaddy } from '../writer/victims.ts'
import type { Scene } from './stage.ts'

/** What names a clone of the guestbook, wherever it is. */
const OF_A_CLONE = 'guestbook-clone'
/** Parts of the state folder that tell of what was. */
const MEMORY = /^(operations|jobs|logs\/appliance|audit\.jsonl|home)/

/** What an update, its interruption and the start after it have left behind: snapshots, clones, containers, processes, mounts, locks. */
export async function leftBehind({ appliance, engine }: Scene): Promise<readonly string[]> {
  const status = await appliance.json<Status>('status')
  return [
    ...ofProcesses(appliance, status),
    ...ofData(appliance),
    ...ofState(appliance.state),
    ...ofMounts(appliance.state),
    ...(await ofLock(appliance.state)),
    ...(engine ? ofContainers(engine.run('ps', '-a', '--format', '{{.Names}}')) : []),
    ...(engine ? ofNetworks(engine.run('network', 'ls', '--format', '{{.Name}}')) : []),
  ]
}

type Status = StatusDocument & { readonly appliance: { readonly id: string } }

function ofProcesses(appliance: TestAppliance, status: Status): readonly string[] {
  const services = status.apps.flatMap((app) => app.services)
  const known = [
    ...services.flatMap(({ pid }) => pid ?? []),
    status.gateway.pid ?? 0,
    status.daemon.pid ?? 0,
    pidOfCaddy(appliance) ?? 0,
  ]
  const left = strays(processesOf(status.appliance.id, appliance.state), known)
  const names = services.map(({ service }) => service).toSorted()
  return [
    ...left.map(({ pid, words }) => `the process ${pid} (${words.slice(0, 120)})`),
    ...(names.join(' ') === 'postgres web worker' ? [] : [`the services are ${names.join(', ')}`]),
  ]
}

function ofData({ state }: TestAppliance): readonly string[] {
  const { kept = [] } = JSON.parse(readFileSync(join(state, 'apps/guestbook.json'), 'utf8')) as {
    kept?: readonly { readonly snapshot: string }[]
  }
  const wanted = new Set(kept.map(({ snapshot }) => snapshot))
  const root = join(dataRoot(state), 'units')
  const unit = readdirSync(join(root, 'guestbook'))
  const unknown = unit.filter((name) => !/^(current|gen-\d+|unit\.json|snapshots)$/.test(name))
  const generations = unit.filter((name) => name.startsWith('gen-'))
  return [
    ...readdirSync(root)
      .filter((name) => name !== 'guestbook')
      .map((name) => `the data of ${name}`),
    ...[...unknown, ...(generations.length > 1 ? generations : [])].map((name) => `${name} in the data`),
    ...namesIn(join(root, 'guestbook/snapshots'))
      .filter((name) => !wanted.has(name))
      .map((name) => `the snapshot ${name}, which its record does not keep`),
    ...namesIn(join(state, 'kept/guestbook'))
      .filter((name) => !wanted.has(name))
      .map((name) => `the logs of the snapshot ${name}`),
  ]
}

function dataRoot(state: string): string {
  const config = parse(readFileSync(join(state, 'appliance.yml'), 'utf8')) as {
    caretaker?: { storage?: { data?: string } }
  }
  return resolve(state, config.caretaker?.storage?.data ?? 'data')
}

function ofState(state: string): readonly string[] {
  const found: string[] = []
  const look = (folder: string, depth: number) => {
    for (const entry of readdirSync(join(state, folder), { withFileTypes: true })) {
      const path = join(folder, entry.name)
      if (MEMORY.test(path)) continue
      if (entry.name.includes(OF_A_CLONE)) found.push(`${path} in the state folder`)
      else if (entry.isDirectory() && depth < 2) look(path, depth + 1)
    }
  }
  look('', 0)
  const cells = namesIn(join(state, 'processes/cells')).map((name) => `the cell ${name}`)
  return [...found, ...cells]
}

function ofMounts(state: string): readonly string[] {
  return readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(`${state}/`))
    .map((path) => `the mount ${path}`)
}

async function ofLock(state: string): Promise<readonly string[]> {
  const held = await createHost().locks.tryAcquire(join(state, 'operation.lock'))
  if (!held) return ['the operation lock is held']
  await held.release()
  return []
}

/** @param names one a line, as the engine prints them */
export function ofContainers(names: string): readonly string[] {
  const all = names.split('\n').filter(Boolean)
  const left = all.filter((name) => name.includes(OF_A_CLONE))
  if (left.length === 0 && all.length > 3) return [`of the containers ${all.join(', ')} one too many`]
  return left.map((name) => `the container ${name}`)
}

/** @param names one a line, as the engine prints them */
export const ofNetworks = (names: string) =>
  names
    .split('\n')
    .filter((name) => name.includes(OF_A_CLONE))
    .map((name) => `the network ${name}`)

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
