import type { ErrorCode } from '@caretaker/kernel/error-codes.ts'
import type { Facts } from './facts.ts'
import { publicText, visitorSentence } from './visitor-sentence.ts'

/**
 * - `unconfigured`: there is no valid config.
 * - `no-storage`, `wrong-storage`: the data volume is missing, empty, or another appliance's.
 * - `recovering`, `recovery-failed`: the data is being brought back from a backup or dump, or could not be.
 * - `starting`, `updating`: an operation is under way.
 * - `running`: every part serves. `degraded`: it serves, but not every part does; `parts` says which.
 * - `standby`: the config says that this machine serves nothing.
 * - `manual-service`: a person has put it out of service.
 * - `failed`: nothing is served because a step failed.
 * - `stopped`: a person has stopped it, or the daemon that was told to end; also while it is being stopped.
 */
export type StateName =
  | 'unconfigured'
  | 'no-storage'
  | 'wrong-storage'
  | 'recovering'
  | 'recovery-failed'
  | 'starting'
  | 'running'
  | 'updating'
  | 'degraded'
  | 'standby'
  | 'manual-service'
  | 'failed'
  | 'stopped'

/** A part that does not work, with the reason. */
export interface PartProblem {
  readonly part: string
  readonly code: string
  /** What failed, in one sentence: all that visitors read. Absent where visitors never read of it. */
  readonly what?: string
  readonly reason: string
  readonly next: string
  readonly since: string
  readonly step?: string
}

/** The one value behind the service page, `status`, `status --json` and the log. */
export interface ApplianceState {
  readonly state: StateName
  /** Stable code of the reason, as `STORAGE_FOREIGN`; `OK` when there is none. */
  readonly code: string
  /** What failed, or what the person says, in one sentence: all that visitors read. Empty when running. */
  readonly what: string
  /** What, and why: with words of logs, paths and numbers. Empty when running. */
  readonly reason: string
  /** What to type next. Empty when there is nothing to do. */
  readonly next: string
  /** ISO 8601 instant. */
  readonly since: string | undefined
  /** Planned end, ISO 8601 instant. */
  readonly until: string | undefined
  /** Id of the step that failed, where one did. */
  readonly step?: string
  /** Whether applications are served at all, or the service page is. */
  readonly serving: boolean
  readonly parts: readonly PartProblem[]
}

const STORAGE_MISSING: ReadonlySet<ErrorCode> = new Set(['STORAGE_ABSENT', 'STORAGE_EMPTY'])
const STORAGE_WRONG: ReadonlySet<ErrorCode> = new Set([
  'STORAGE_FOREIGN',
  'STORAGE_OTHER_BACKEND',
  'STORAGE_FILE_SYSTEM',
  'STORAGE_UNREADABLE',
])
const RECOVERY: ReadonlySet<ErrorCode> = new Set(['RECOVERY_NOT_IN_THIS_VERSION'])

/** The next command where no daemon runs. */
export const START_DAEMON =
  'Start it: "systemctl start caretaker" where it is installed, "npm start" in a clone, or "caretaker daemon"'

const ACTIVITY = {
  starting: 'The appliance is starting.',
  updating: 'An update is under way.',
  recovering: 'The data is being brought back.',
} as const

/** What else is known besides the facts. */
export interface Surroundings {
  /** The reason of the config to stand by, or false. */
  readonly standby: string | false
  /** Applications of the config, and whether the gateway hands requests to them. */
  readonly apps: readonly { readonly app: string; readonly served: boolean }[]
  /** Problems seen just now and not remembered, as a service that ended or space running out. */
  readonly problems: readonly PartProblem[]
}

/** The state that follows from facts and surroundings. Pure; the order of the cases is their precedence. */
export function deriveState(facts: Facts, around: Surroundings): ApplianceState {
  const parts = partsOf(facts, around)
  const whole = facts.failures.appliance
  const base = { parts, until: undefined, serving: false }
  if (whole) {
    return {
      ...base,
      state: stateOfFailure(whole.code),
      code: whole.code,
      what: visitorSentence(whole.what),
      reason: `${whole.what}: ${whole.why}`,
      next: whole.next,
      since: whole.since,
      ...(whole.step === undefined ? {} : { step: whole.step }),
    }
  }
  const stopped = whyStopped(facts)
  if (stopped) return { ...base, state: 'stopped', what: stopped.reason, ...stopped }
  if (facts.manual) {
    const { reason, since, until } = facts.manual
    return {
      ...base,
      state: 'manual-service',
      code: 'MANUAL_SERVICE',
      what: publicText(reason),
      reason,
      next: 'caretaker service off',
      since,
      until,
    }
  }
  if (around.standby !== false) {
    const next = 'Set "standby: false" in the config, then "caretaker up"'
    const what = publicText(around.standby)
    return {
      ...base,
      state: 'standby',
      code: 'STANDBY',
      what,
      reason: around.standby,
      next,
      since: undefined,
    }
  }
  if (facts.activity && facts.activity.kind !== 'stopping') {
    const { kind, since, serving } = facts.activity
    return {
      ...base,
      serving,
      state: kind,
      code: kind.toUpperCase(),
      what: ACTIVITY[kind],
      reason: ACTIVITY[kind],
      next: '',
      since,
    }
  }
  return { ...servingState(facts, around, parts), parts }
}

/** Why nothing is up, where that is as somebody wants it. */
function whyStopped(facts: Facts): Pick<ApplianceState, 'code' | 'reason' | 'next' | 'since'> | undefined {
  if (facts.activity?.kind === 'stopping') {
    const reason = 'The appliance is being stopped.'
    return {
      code: 'STOPPING',
      reason,
      next: 'Look again in a moment: caretaker status',
      since: facts.activity.since,
    }
  }
  if (!facts.startedBefore && !facts.activity) {
    const reason = 'The appliance has not been started yet.'
    return { code: 'NOT_STARTED', reason, next: 'caretaker up', since: undefined }
  }
  if (facts.wanted === 'down') {
    return { code: 'STOPPED', reason: 'The appliance was stopped.', next: 'caretaker up', since: undefined }
  }
  if (facts.daemonEnded !== undefined) {
    const reason = 'The daemon was ended, and has stopped everything.'
    return { code: 'DAEMON_STOPPED', reason, next: START_DAEMON, since: facts.daemonEnded }
  }
  return undefined
}

function servingState(
  facts: Facts,
  around: Surroundings,
  parts: readonly PartProblem[],
): Omit<ApplianceState, 'parts'> {
  const down = around.apps.filter(({ served }) => !served)
  const first = parts[0]
  const base = { until: undefined, serving: true }
  if (around.apps.length > 0 && down.length === around.apps.length) {
    const reason = first ? `${first.part}: ${first.reason}` : 'No application runs.'
    return {
      ...base,
      serving: false,
      state: 'failed',
      code: first?.code ?? 'NOTHING_RUNS',
      what: first ? ofPart(first) : reason,
      reason,
      next: first?.next ?? 'caretaker up',
      since: first?.since,
    }
  }
  if (first) {
    return {
      ...base,
      state: 'degraded',
      code: first.code,
      what: ofPart(first),
      reason: `${first.part}: ${first.reason}`,
      next: first.next,
      since: first.since,
    }
  }
  return { ...base, state: 'running', code: 'OK', what: '', reason: '', next: '', since: undefined }
}

const ofPart = ({ part, what, reason }: PartProblem) => `${part}: ${what ?? visitorSentence(reason)}`

function partsOf(facts: Facts, around: Surroundings): readonly PartProblem[] {
  const failed = Object.entries(facts.failures)
    .filter(([part]) => part !== 'appliance')
    .map(([part, failure]) => ({
      part,
      code: failure.code,
      what: visitorSentence(failure.what),
      reason: `${failure.what}: ${failure.why}`,
      next: failure.next,
      since: failure.since,
      ...(failure.step === undefined ? {} : { step: failure.step }),
    }))
  const known = new Set(failed.map((problem) => problem.part))
  return [...failed, ...around.problems.filter((problem) => !known.has(problem.part))]
}

function stateOfFailure(code: ErrorCode): StateName {
  if (STORAGE_MISSING.has(code)) return 'no-storage'
  if (STORAGE_WRONG.has(code)) return 'wrong-storage'
  if (RECOVERY.has(code)) return 'recovery-failed'
  if (code.startsWith('CONFIG_') || code.startsWith('SEAL_')) return 'unconfigured'
  return 'failed'
}
