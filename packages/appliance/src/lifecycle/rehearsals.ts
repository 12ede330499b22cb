import { createHmac } from 'node:crypto'
import { join } from 'node:path'
import type { ErrorReport } from '@caretaker/kernel/errors.ts'
import { canonicalJson } from '@caretaker/kernel/json.ts'
import { DAY_MS } from '@caretaker/kernel/time.ts'
import type { Files } from '@caretaker/ports/files.ts'
import type { Config } from '../config/config.ts'
import type { Appliance } from './appliance.ts'
import { appendJsonLine, readJsonLines } from './json-lines.ts'

/** How long a good verdict counts: the data of production goes on changing. */
export const READY_MS = 7 * DAY_MS
/** Rehearsals of an application whose logs are kept. */
const KEPT_LOGS = 5

/** One step of a rehearsal. */
export interface RehearsedStep {
  readonly step: string
  readonly summary: string
  readonly state: 'applied' | 'failed'
  readonly duration_ms: number
}

/** One rehearsal that came to a verdict. Plain JSON, written once and never changed. */
export interface Rehearsal {
  readonly id: string
  /** ISO 8601 instant of the verdict. */
  readonly at: string
  /** Release ids: the verdict holds for exactly this pair. */
  readonly from: string
  readonly to: string
  /** Tells what the config said of the application; a verdict holds for no other (see {@link settingsOf}). */
  readonly settings: string
  readonly from_version: string
  readonly to_version: string
  readonly verdict: 'good' | 'bad'
  /** The step that failed, and why; null for a good one. */
  readonly failed: { readonly step: string; readonly summary: string; readonly error: ErrorReport } | null
  /** Null when it was not asked before something failed. */
  readonly migrates: boolean | null
  readonly steps: readonly RehearsedStep[]
  /** How long the migration took on the clone; null when there was none, or it did not end well. */
  readonly migration_ms: number | null
  readonly duration_ms: number
  /** How long all services were watched after the tests. */
  readonly watched_ms: number
  /** Whether the clone could not reach the outside. */
  readonly isolated: boolean
  readonly operation: string
  readonly user: string
  readonly via: string
}

export type ReleasePair = Pick<Rehearsal, 'from' | 'to'>

const rehearsalsFile = (stateFolder: string, app: string) => join(stateFolder, 'rehearsals', `${app}.jsonl`)
const logsOf = (stateFolder: string, app: string) => join(stateFolder, 'rehearsals', app)

/** Where lies what was said during a rehearsal: a file for its steps, and one for each service. */
export function rehearsalLogs(stateFolder: string, app: string, id: string): string {
  return join(logsOf(stateFolder, app), id)
}

/** Every verdict, the oldest first. */
export async function readRehearsals(
  files: Pick<Files, 'readText'>,
  stateFolder: string,
  app: string,
): Promise<readonly Rehearsal[]> {
  return readJsonLines<Rehearsal>(files, rehearsalsFile(stateFolder, app))
}

/** Writes a verdict down durably. Logs of the oldest rehearsals go. */
export async function appendRehearsal(
  { ports: { files }, stateFolder }: Pick<Appliance, 'ports' | 'stateFolder'>,
  app: string,
  rehearsal: Rehearsal,
): Promise<void> {
  await appendJsonLine(files, rehearsalsFile(stateFolder, app), rehearsal)
  const kept = ((await files.list(logsOf(stateFolder, app))) ?? []).map(({ name }) => name).toSorted()
  for (const id of kept.slice(0, -KEPT_LOGS)) await files.remove(rehearsalLogs(stateFolder, app, id))
}

/** The newest verdict about a pair of releases. */
export function verdictOn(
  rehearsals: readonly Rehearsal[],
  { from, to }: ReleasePair,
): Rehearsal | undefined {
  return rehearsals.findLast((entry) => entry.from === from && entry.to === to)
}

/**
 * A fingerprint of all in the config that an application is run with on a clone as in production. Keyed: it is shown, and
 * settings may be easy to guess. Of secrets the names alone, as a clone has others.
 */
export function settingsOf({ keys, ...config }: Config, app: string): string {
  const { environment = {}, secrets = {} } = config.applications[app] ?? {}
  const { runtime, postgres, identity } = config
  const names = Object.keys(secrets).toSorted()
  const text = canonicalJson({ environment, names, runtime, postgres, time_zone: identity.time_zone })
  return createHmac('sha256', keys.age_identity.reveal()).update(text).digest('hex')
}

/** Until when a verdict lets an update go on without another rehearsal; undefined when it does not. */
export function readyUntil(
  rehearsal: Rehearsal | undefined,
  { now, settings }: { readonly now: Date; readonly settings: string },
): Date | undefined {
  if (rehearsal?.verdict !== 'good' || rehearsal.settings !== settings) return undefined
  const until = new Date(Date.parse(rehearsal.at) + READY_MS)
  return until > now ? until : undefined
}

/** The verdict that lets the update of this pair go on without another rehearsal; undefined when there is none. */
export async function readyRehearsal(
  { ports, stateFolder, config }: Pick<Appliance, 'ports' | 'stateFolder' | 'config'>,
  app: string,
  pair: ReleasePair,
): Promise<Rehearsal | undefined> {
  const found = verdictOn(await readRehearsals(ports.files, stateFolder, app), pair)
  return readyUntil(found, { now: ports.clock.now(), settings: settingsOf(config, app) }) && found
}

export async function removeRehearsals({ ports, stateFolder }: Appliance, app: string): Promise<void> {
  await ports.files.remove(rehearsalsFile(stateFolder, app))
  await ports.files.remove(logsOf(stateFolder, app))
}
