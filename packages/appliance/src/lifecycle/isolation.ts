import { AppError } from '@caretaker/kernel/errors.ts'
import type { Config } from '../config/config.ts'
import type { ServiceSpec } from '../runtime/runtime.ts'
import type { Appliance } from './appliance.ts'

/** What every spec of an application carries about its isolation: for a clone that may not reach the outside, its name. */
export function isolationOf(
  config: Pick<Config, 'applications'>,
  app: string,
): Pick<ServiceSpec, 'isolation'> {
  const clone = config.applications[app]?.clone
  return clone && !clone.allowOutside ? { isolation: { name: app } } : {}
}

/**
 * Makes sure that a clone will be isolated, or that a person has allowed it not to be.
 * @throws AppError CLONE_NOT_ISOLATED
 */
export async function assertIsolation(
  _appliance: Appliance,
  clone: string,
  allowOutside: boolean,
): Promise<void> {
  if (allowOutside) return
  throw new AppError('CLONE_NOT_ISOLATED', {
    what: `The clone ${clone} was not made`,
    why: 'this version cannot keep a clone from reaching the outside',
    next: 'If the application does no harm there with real data, repeat the command with --allow-outside',
  })
}
