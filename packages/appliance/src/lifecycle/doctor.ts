import { join } from 'node:path'
import { toAppError } from '@caretaker/kernel/errors.ts'
import { DAY_MS } from '@caretaker/kernel/time.ts'
import { listOperations } from '@caretaker/steps/operations.ts'
import { parseCertificate } from '../certificates/renewal.ts'
import { loadConfig } from '../config/load.ts'
import { checkPostgres } from '../database/health.ts'
import { adminAddress, postgresPrograms } from './app-database.ts'
import { type Appliance, openAppliance, type Surrounding } from './appliance.ts'
import { assertServable } from './check-config.ts'
import { assertStorage } from './check-storage.ts'
import { readFacts } from './facts.ts'
import { authorityFile } from './gateway-service.ts'
import { observeApps } from './observe.ts'
import { seenProblems } from './problems.ts'
import { certificateNames } from './routes.ts'

export interface Finding {
  /** What was looked at, as `storage`. */
  readonly check: string
  readonly result: 'ok' | 'problem'
  readonly code: string
  /** What was found. */
  readonly what: string
  readonly next: string
}

interface Check {
  readonly name: string
  readonly says: string
  look(appliance: Appliance, daemonPid: number | undefined): Promise<readonly Finding[]>
}

/** Looks at everything a night call would ask, and changes nothing. Each finding says the next step. */
export async function examine(
  around: Surrounding,
  configFile: string | undefined,
  daemonPid: number | undefined,
): Promise<readonly Finding[]> {
  let appliance: Appliance
  try {
    const loaded = await loadConfig(around.ports, {
      fromEnvironment: configFile,
      stateFolder: around.stateFolder,
    })
    appliance = await openAppliance(around, loaded.config, loaded.file)
  } catch (error) {
    const reported = toAppError(error)
    return [reported, ...reported.also].map((entry) =>
      problem('config', entry.code, `${entry.what}: ${entry.why}`, entry.next),
    )
  }
  const findings: Finding[] = [ok('config', `${appliance.configFile} is valid`)]
  for (const check of CHECKS) {
    try {
      const found = await check.look(appliance, daemonPid)
      findings.push(...(found.length === 0 ? [ok(check.name, check.says)] : found))
    } catch (error) {
      const { code, what, why, next } = toAppError(error)
      findings.push(problem(check.name, code, `${what}: ${why}`, next))
    }
  }
  return findings
}

const CHECKS: readonly Check[] = [
  {
    name: 'settings',
    says: 'the config asks for nothing that this version cannot do',
    look: async ({ config }) => {
      assertServable(config)
      return []
    },
  },
  {
    name: 'state folder',
    says: 'the state folder can be written',
    look: async ({ ports, stateFolder }) => {
      const probe = join(stateFolder, '.doctor')
      await ports.files.write(probe, '')
      await ports.files.remove(probe)
      return []
    },
  },
  {
    name: 'storage',
    says: "the data volume is this appliance's own",
    look: async (appliance) => {
      const { startedBefore } = await readFacts(appliance.ports.files, appliance.stateFolder)
      await assertStorage(appliance, !startedBefore)
      const leftovers = startedBefore ? await appliance.storage.leftovers() : []
      return leftovers.map((leftover) =>
        problem(
          'storage',
          'OPERATION_UNFINISHED',
          `${leftover.path} was left by an interrupted call`,
          'caretaker up',
        ),
      )
    },
  },
  {
    name: 'programs',
    says: 'Node and Postgres are there',
    look: async (appliance) => {
      await postgresPrograms(appliance)
      return []
    },
  },
  { name: 'ports', says: 'the ports of the gateway are its own', look: gatewayPorts },
  { name: 'certificates', says: 'every certificate is valid for more than 10 days', look: certificates },
  { name: 'databases', says: 'every Postgres answers', look: databases },
  {
    name: 'operations',
    says: 'no operation is unfinished',
    look: async ({ ports, stateFolder }) =>
      (await listOperations(ports.files, stateFolder))
        .filter((entry) => entry.state === 'unfinished' || entry.state === 'damaged')
        .map((entry) =>
          entry.state === 'damaged'
            ? problem(
                'operations',
                'JOURNAL_DAMAGED',
                `${entry.operation}: ${entry.purpose}`,
                'Look at the disk ("dmesg")',
              )
            : problem(
                'operations',
                'OPERATION_UNFINISHED',
                `${entry.operation} (${entry.purpose})`,
                'caretaker up',
              ),
        ),
  },
  {
    name: 'failures',
    says: 'no part has failed',
    look: async ({ ports, stateFolder }) => {
      const { failures } = await readFacts(ports.files, stateFolder)
      return Object.entries(failures).map(([part, failure]) =>
        problem(part, failure.code, `${failure.what}: ${failure.why}`, failure.next),
      )
    },
  },
  {
    name: 'parts',
    says: 'every part runs',
    look: async (appliance, daemonPid) =>
      (await seenProblems(appliance, daemonPid)).map((entry) =>
        problem(entry.part, entry.code, entry.reason, entry.next),
      ),
  },
]

async function gatewayPorts(appliance: Appliance): Promise<readonly Finding[]> {
  if (await appliance.gateway.status().catch(() => undefined)) return []
  const { bind, http_port, https_port } = appliance.config.gateway
  const found: Finding[] = []
  for (const port of [https_port, http_port]) {
    if (port === null) continue
    const can = await appliance.ports.network.canListen(bind, port)
    if (can === 'yes') continue
    const why = {
      'in-use': 'another program uses it',
      'no-permission': 'we may not use it',
      'no-address': `this machine has no address ${bind}`,
    }[can]
    const next =
      can === 'in-use'
        ? `Find it with "ss -ltnp", stop it, then "caretaker up"`
        : 'Choose another address or port in the config, or run as root'
    found.push(
      problem('ports', can === 'in-use' ? 'PORT_IN_USE' : 'NO_PERMISSION', `${bind}:${port}: ${why}`, next),
    )
  }
  return found
}

async function certificates(appliance: Appliance): Promise<readonly Finding[]> {
  const { ports, config, folders } = appliance
  if ((await ports.files.readText(authorityFile(appliance))) === undefined) return []
  const found: Finding[] = []
  for (const { name } of certificateNames(config)) {
    const pem = await ports.files.readText(join(folders.certificates, `${name}.crt`))
    if (pem === undefined) continue
    const leftMs = new Date(parseCertificate(pem).validTo).getTime() - ports.clock.now().getTime()
    if (leftMs > 10 * DAY_MS) continue
    found.push(
      problem(
        'certificates',
        'CERTIFICATE_INVALID',
        `${name} ends in ${Math.floor(leftMs / DAY_MS)} days`,
        'caretaker up',
      ),
    )
  }
  return found
}

async function databases(appliance: Appliance): Promise<readonly Finding[]> {
  const found: Finding[] = []
  for (const { app, record } of await observeApps(appliance)) {
    const status = record.databaseCreated ? await appliance.runtime.status(app, 'postgres') : undefined
    if (status?.state !== 'running') continue
    const health = await checkPostgres(appliance.ports.databases, await adminAddress(appliance, app))
    if (health.state === 'ready') continue
    found.push(
      problem(
        'databases',
        'POSTGRES_UNREACHABLE',
        `Postgres of ${app}: ${health.why}`,
        `caretaker logs ${app} postgres`,
      ),
    )
  }
  return found
}

const ok = (check: string, what: string): Finding => ({ check, result: 'ok', code: 'OK', what, next: '' })

function problem(check: string, code: string, what: string, next: string): Finding {
  return { check, result: 'problem', code, what, next }
}
