import { toAppError } from '@caretaker/kernel/errors.ts'
import type { Appliance, Surrounding } from '../appliance.ts'

export interface Finding {
  /** What was looked at, as `storage`. */
  readonly check: string
  /** `notice`: worth knowing, and may well be meant so. */
  readonly result: 'ok' | 'problem' | 'notice'
  readonly code: string
  /** What was found. */
  readonly what: string
  readonly next: string
}

/** The daemon that answers for this state folder. */
export interface SeenDaemon {
  readonly pid: number
  readonly version: string
}

/** What a check may look at. */
export interface Scene {
  readonly appliance: Appliance
  readonly daemon: SeenDaemon | undefined
}

/** A finding without the name of its check. */
export type Found = Omit<Finding, 'check' | 'result'> & { readonly result?: 'notice' }

/** One thing that is looked at. It reads only, and gives what is wrong. */
export interface Check<Looked> {
  readonly name: string
  /** What is true when nothing is found. */
  readonly says: string
  look(scene: Looked): Promise<readonly Found[]>
}

/** A check that does not need a config. */
export type MachineCheck = Check<Surrounding>
export type ApplianceCheck = Check<Scene>

/** Runs checks one after the other; what one throws is its finding. */
export async function runChecks<Looked>(
  checks: readonly Check<Looked>[],
  scene: Looked,
): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  for (const check of checks) {
    const { name, says } = check
    const found = await check.look(scene).catch((error: unknown) => [{ ...asFound(error), isThrown: true }])
    // What keeps several things from being looked at is found once.
    const [thrown] = found
    if (thrown && 'isThrown' in thrown && isTold(findings, thrown)) continue
    if (found.length === 0) findings.push({ check: name, result: 'ok', code: 'OK', what: says, next: '' })
    for (const { code, what, next, result = 'problem' } of found)
      findings.push({ check: name, result, code, what, next })
  }
  return findings
}

/** Whether the same reason stands there already, in whatever words it begins. */
function isTold(findings: readonly Finding[], { code, what }: Found): boolean {
  const why = what.slice(what.indexOf(': ') + 2)
  return findings.some((known) => known.code === code && known.what.endsWith(why))
}

/** An error as something that was found. */
export function asFound(error: unknown): Found {
  const { code, what, why, next } = toAppError(error)
  return { code, what: `${what}: ${why}`, next }
}
