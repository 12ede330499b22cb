import { ERROR_CODES, type ErrorCode } from '@caretaker/kernel/error-codes.ts'
import { isAppError } from '@caretaker/kernel/errors.ts'
import type { ExitCode } from '@caretaker/kernel/exit-codes.ts'
import { findLockHolder, type LockHolder } from '@caretaker/steps/operation-lock.ts'
import { listOperations } from '@caretaker/steps/operations.ts'
import type { Slot } from '../runtime/runtime.ts'
import type { StorageSpace } from '../storage/storage.ts'
import { POSTGRES_SERVICE } from './app-database.ts'
import type { AppRecord } from './app-records.ts'
import type { Appliance } from './appliance.ts'
import type { ApplianceState, PartProblem } from './appliance-state.ts'
import { type CertificateLine, reportCertificates } from './certificate-report.ts'
import { observeApps, observeState } from './observe.ts'
import { seenProblems } from './problems.ts'
import { publicUrl } from './public-url.ts'

export interface ServiceLine {
  readonly service: string
  /** `unknown`: the container engine cannot be asked. */
  readonly state: 'running' | 'ended' | 'stopped' | 'unknown'
  readonly pid?: number
  readonly since?: string
}

export interface AppLine {
  readonly app: string
  readonly version: string | null
  readonly release: string | null
  readonly url: string
  readonly state: 'serving' | 'stopped' | 'failed' | 'not-started' | 'unknown'
  /** What it is when it is a clone: of which application, whether it can reach the outside, and until when. */
  readonly clone: { readonly of: string; readonly isolated: boolean; readonly expires_at: string } | null
  /** What is to be known of it although it serves: that it went back by itself. Null where there is nothing. */
  readonly notice: string | null
  readonly services: readonly ServiceLine[]
}

/** Everything `status` says, as data. */
export interface StatusReport extends Omit<ApplianceState, 'since' | 'until'> {
  readonly since: string | null
  readonly until: string | null
  readonly appliance: {
    readonly id: string
    readonly domain: string
    readonly config_file: string
    readonly state_folder: string
  }
  readonly daemon: { readonly running: boolean; readonly pid: number | null }
  readonly gateway: {
    readonly running: boolean
    readonly pid: number | null
    readonly address: string | null
  }
  readonly apps: readonly AppLine[]
  readonly certificates: readonly CertificateLine[]
  readonly storage: {
    readonly backend: string
    readonly folder: string
    readonly instant_snapshots: boolean
    readonly total_bytes: number
    readonly available_bytes: number
    readonly reserve_bytes: number
    /** Null where the file system keeps no records apart from data. */
    readonly metadata_available_bytes: number | null
  } | null
  readonly locked_by: LockHolder | null
  readonly unfinished_operations: readonly string[]
  readonly exit_code: ExitCode
}

/**
 * Looks at everything and changes nothing. Works whether or not a daemon runs. `known` are problems that the caller has
 * seen already, as a config that was refused.
 */
export async function status(
  appliance: Appliance,
  daemonPid: number | undefined,
  known: readonly PartProblem[] = [],
): Promise<StatusReport> {
  const { ports, stateFolder, config } = appliance
  const [apps, gateway, space, holder, operations, problems, certificates] = await Promise.all([
    listApps(appliance),
    appliance.gateway.status().catch(() => undefined),
    appliance.storage.space().catch((): StorageSpace | undefined => undefined),
    findLockHolder(ports, stateFolder),
    listOperations(ports.files, stateFolder),
    seenProblems(appliance, daemonPid),
    // What is damaged is said by its part; the rest is told all the same.
    reportCertificates(appliance, false).catch(() => undefined),
  ])
  const state = await observeState(appliance, [...known, ...problems], daemonPid !== undefined)
  const { https } = gateway ?? {}
  return {
    ...state,
    since: state.since ?? null,
    until: state.until ?? null,
    appliance: {
      id: config.id,
      domain: config.identity.domain,
      config_file: appliance.configFile,
      state_folder: stateFolder,
    },
    daemon: { running: daemonPid !== undefined, pid: daemonPid ?? null },
    gateway: {
      running: gateway !== undefined,
      pid: gateway?.pid ?? null,
      address: https ? `${https.host}:${https.port}` : null,
    },
    apps: apps.map((line) => ({
      ...line,
      state:
        state.parts.some((part) => part.part === line.app && line.state !== 'stopped') &&
        line.state !== 'serving'
          ? 'failed'
          : line.state,
    })),
    certificates: certificates?.certificates ?? [],
    storage: space
      ? {
          backend: appliance.storage.backend,
          folder: appliance.folders.data,
          instant_snapshots: appliance.storage.instant,
          total_bytes: space.totalBytes,
          available_bytes: space.availableBytes,
          reserve_bytes: space.reserveBytes,
          metadata_available_bytes: space.metadata?.availableBytes ?? null,
        }
      : null,
    locked_by: holder ?? null,
    unfinished_operations: holder
      ? []
      : operations.filter((entry) => entry.state === 'unfinished').map((entry) => entry.operation),
    exit_code: exitCodeOf(state),
  }
}

/** 0 for what is wanted, 3 when not every part works, else the exit code of the reason. */
export function exitCodeOf(state: Pick<ApplianceState, 'state' | 'code'>): ExitCode {
  if (
    ['running', 'standby', 'manual-service', 'stopped', 'starting', 'updating', 'recovering'].includes(
      state.state,
    )
  )
    return 0
  if (state.state === 'degraded') return 3
  return state.code in ERROR_CODES ? ERROR_CODES[state.code as ErrorCode].exit : 1
}

/** The applications of the config and how their services stand. */
export async function listApps(appliance: Appliance): Promise<readonly AppLine[]> {
  return Promise.all(
    (await observeApps(appliance)).map(async ({ app, record, running, upstream }): Promise<AppLine> => {
      const names = running?.application.services.map((service) => service.name) ?? []
      const withDatabase = record.databaseCreated ? [POSTGRES_SERVICE, ...names] : names
      const services = await Promise.all(
        withDatabase.map((service) => serviceLine(appliance, app, service, record.slot)),
      )
      const isUnknown = services.some((line) => line.state === 'unknown')
      const seen = upstream === undefined ? 'not-started' : 'serving'
      const state = record.stopped ? 'stopped' : isUnknown ? 'unknown' : seen
      return {
        app,
        version: running?.application.version ?? null,
        release: record.releaseId ?? null,
        url: publicUrl(appliance, app),
        state,
        clone: cloneOf(appliance, app),
        notice: noticeOf(record),
        services,
      }
    }),
  )
}

function cloneOf({ config }: Appliance, app: string): AppLine['clone'] {
  const clone = config.applications[app]?.clone
  return clone ? { of: clone.app, isolated: !clone.allowOutside, expires_at: clone.expiresAt } : null
}

function noticeOf({ takenBack }: AppRecord): string | null {
  if (!takenBack?.byItself) return null
  return `${takenBack.version} was taken back by itself at ${takenBack.at}: ${takenBack.why}`
}

async function serviceLine(
  appliance: Appliance,
  app: string,
  service: string,
  slot: Slot,
): Promise<ServiceLine> {
  const own = service === POSTGRES_SERVICE ? 'a' : slot
  const found = await appliance.runtime.status(app, service, own).catch((error: unknown) => {
    // Said as a problem of its own; what it runs is not known.
    if (isAppError(error, 'ENGINE_UNREACHABLE')) return 'unknown' as const
    throw error
  })
  if (found === 'unknown') return { service, state: 'unknown' }
  if (!found) return { service, state: 'stopped' }
  return { service, state: found.state, pid: found.pid, since: found.startedAt }
}
