import type { Config } from './config.ts'
import { ownEntryAt } from './own-entries.ts'
import type { KeyPath } from './problem.ts'
import { findTlsConflicts } from './tls-conflicts.ts'

/** Two values that contradict each other. `path` is where the second one stands, below `caretaker`. */
export interface Conflict {
  readonly path: KeyPath
  readonly why: string
  readonly next: string
}

/** What no single value can be blamed for: host names claimed twice, equal ports, folders within each other. */
export function findConflicts(config: Config): Conflict[] {
  return [...findHostConflicts(config), ...findSettingConflicts(config), ...findTlsConflicts(config)]
}

function findHostConflicts(config: Config): Conflict[] {
  const conflicts: Conflict[] = []
  const prefixes = new Map<string, string>()
  const served = new Map<string, string>()
  const aliases = new Map<string, string>()
  const claim = (path: KeyPath, host: string, other: string | undefined, app: string): boolean => {
    if (other === undefined) return false
    const who = other === app ? `${app} twice` : `${other} as well`
    const next = `Give "${app}" another host name, or the two different values of "path_prefix"`
    conflicts.push({
      path,
      why: `the host name ${host} is claimed by ${who}`,
      next: other === app ? 'Remove one' : next,
    })
    return true
  }
  for (const [app, { hosts, path_prefix }] of Object.entries(config.applications)) {
    for (const [index, host] of hosts.entries()) {
      const place = `${host}${path_prefix}`
      if (claim(['applications', app, 'hosts', index], host, prefixes.get(place), app)) continue
      prefixes.set(place, app)
      served.set(host, app)
    }
  }
  for (const [app, entry] of Object.entries(config.applications)) {
    for (const [index, alias] of entry.aliases.entries()) {
      if (claim(['applications', app, 'aliases', index], alias, served.get(alias) ?? aliases.get(alias), app))
        continue
      aliases.set(alias, app)
    }
  }
  return conflicts
}

function findSettingConflicts({ gateway, storage, recover }: Config): Conflict[] {
  const conflicts: Conflict[] = []
  if (gateway.http_port === gateway.https_port) {
    const why = `gateway.http_port and gateway.https_port are both ${gateway.https_port}`
    conflicts.push({
      path: ['gateway', 'http_port'],
      why,
      next: 'Give one of them another port, or write null for http_port',
    })
  }
  if (gateway.proxy_protocol && gateway.trusted_proxies.length === 0) {
    conflicts.push({
      path: ['gateway', 'proxy_protocol'],
      why: 'gateway.proxy_protocol is true, but gateway.trusted_proxies names nobody who may use it',
      next: 'Name the ranges of the load balancers in trusted_proxies, or write false',
    })
  }
  for (const key of ['data', 'volatile'] as const) {
    const own = ownEntryAt(storage[key])
    if (own === undefined) continue
    const why = `the folder storage.${key} (${storage[key]}) lies on ${own}, which caretaker needs for itself`
    conflicts.push({ path: ['storage', key], why, next: `Give it a folder of its own, as "${key}"` })
  }
  const [data, volatile] = [trim(storage.data), trim(storage.volatile)]
  if (data === volatile || data.startsWith(`${volatile}/`) || volatile.startsWith(`${data}/`)) {
    const why = `the folders storage.data (${storage.data}) and storage.volatile (${storage.volatile}) overlap`
    conflicts.push({ path: ['storage', 'volatile'], why, next: 'Give them folders beside each other' })
  }
  if (storage.warn_percent >= 100 - storage.reserve_percent) {
    const why = `a warning at ${storage.warn_percent} % used comes too late: updates are refused at ${100 - storage.reserve_percent} % used`
    const next = `Write warn_percent below ${100 - storage.reserve_percent}, or a smaller reserve_percent`
    conflicts.push({ path: ['storage', 'warn_percent'], why, next })
  }
  if (recover.from_backup && recover.from_dump !== undefined) {
    const why = 'recover.from_backup and recover.from_dump cannot both be followed'
    conflicts.push({ path: ['recover', 'from_dump'], why, next: 'Keep one of the two' })
  }
  return conflicts
}

function trim(folder: string): string {
  const parts = folder.split('/').filter((part) => part !== '' && part !== '.')
  return (folder.startsWith('/') ? '/' : './') + parts.join('/')
}
