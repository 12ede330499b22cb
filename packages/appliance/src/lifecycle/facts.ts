import { join } from 'node:path'
import type { ErrorReport } from '@caretaker/kernel/errors.ts'
import { redactDeep } from '@caretaker/kernel/secrets.ts'
import type { Files } from '@caretaker/ports/files.ts'
import { inTurn } from './in-turn.ts'
import { readStateFile, writeStateFile } from './state-file.ts'

/** Something that keeps a part from serving, until the part is seen working. */
export interface Failure extends ErrorReport {
  /** ISO 8601 instant. */
  readonly since: string
  /** Id of the step that failed, when an operation did. */
  readonly step?: string
}

export interface ManualService {
  readonly reason: string
  readonly since: string
  /** Planned end, ISO 8601 instant. */
  readonly until?: string
}

export interface Activity {
  readonly kind: 'starting' | 'updating' | 'recovering' | 'stopping'
  readonly since: string
  readonly serving: boolean
}

/**
 * What the appliance remembers about itself over restarts. The state that people read is derived from this and from
 * what is observed; nothing else decides it.
 */
export interface Facts {
  /** What the person wants: everything up, or everything stopped. */
  readonly wanted: 'up' | 'down'
  /** Whether storage was ever initialised here: from then on an empty data volume is a loss, not a beginning. */
  readonly startedBefore: boolean
  readonly manual: ManualService | undefined
  /** Since when everything is stopped because the daemon was told to end (ISO 8601); the next start ends that. */
  readonly daemonEnded?: string | undefined
  /** By part: `appliance` or the name of an application. The first reason stays until the part works. */
  readonly failures: Readonly<Record<string, Failure>>
  /** The operation under way. Applications that are up are served meanwhile, unless `serving` is false. */
  readonly activity: Activity | undefined
  /** The engine that may hold containers of ours, and the boot in which anything was last started there. */
  readonly engine?: { readonly socket: string; readonly bootId: string } | undefined
}

const INITIAL: Facts = {
  wanted: 'up',
  startedBefore: false,
  manual: undefined,
  failures: {},
  activity: undefined,
}

const factsPath = (stateFolder: string) => join(stateFolder, 'facts.json')

/** @throws AppError STATE_DAMAGED */
export async function readFacts(files: Pick<Files, 'readText'>, stateFolder: string): Promise<Facts> {
  const stored = await readStateFile<Partial<Facts>>(files, factsPath(stateFolder))
  return { ...INITIAL, ...stored }
}

/** Changes the facts durably and gives the new ones. */
export async function updateFacts(
  files: Files,
  stateFolder: string,
  change: (facts: Facts) => Partial<Facts>,
): Promise<Facts> {
  return inTurn(factsPath(stateFolder), async () => {
    const facts = await readFacts(files, stateFolder)
    const next = { ...facts, ...change(facts) }
    if (JSON.stringify(next) !== JSON.stringify(facts))
      await writeStateFile(files, factsPath(stateFolder), redactDeep(next))
    return next
  })
}

/**
 * The failures with one more. A part that has failed already keeps its first reason: what comes after is most often
 * a consequence, and a generic reason must not hide a specific one.
 */
export function addFailure(
  failures: Facts['failures'],
  part: string,
  error: ErrorReport,
  at: string,
  step?: string,
): Facts['failures'] {
  const known = failures[part]
  if (known && !(isGeneric(known) && !isGeneric(error))) return failures
  return { ...failures, [part]: { ...error, since: at, ...(step === undefined ? {} : { step }) } }
}

/**
 * The failures after a new try of a part: what kept it from working this time is what counts, however specific the
 * reason of an earlier try was; only a generic reason does not replace a specific one. The same reason keeps its time.
 */
export function replaceFailure(
  failures: Facts['failures'],
  part: string,
  error: ErrorReport,
  at: string,
  step?: string,
): Facts['failures'] {
  const known = failures[part]
  if (known && isGeneric(error) && !isGeneric(known)) return failures
  const same = known?.code === error.code && known.why === error.why ? known : undefined
  const failed = step ?? same?.step
  const since = same?.since ?? at
  return { ...failures, [part]: { ...error, since, ...(failed === undefined ? {} : { step: failed }) } }
}

export function clearFailure(failures: Facts['failures'], part: string): Facts['failures'] {
  return Object.fromEntries(Object.entries(failures).filter(([name]) => name !== part))
}

const GENERIC = new Set(['INTERNAL', 'STEP_NOT_EFFECTIVE', 'STEP_TIMEOUT', 'COMMAND_FAILED', 'STEP_BLOCKED'])

function isGeneric(error: ErrorReport): boolean {
  return GENERIC.has(error.code)
}
