import { AppError } from '@caretaker/kernel/errors.ts'
import type { Config } from '../config/config.ts'

/** What a valid config asks for that this version cannot do: RECOVERY_NOT_IN_THIS_VERSION, or undefined. */
export function unservableBecause(config: Config): AppError | undefined {
  const { from_backup, from_dump } = config.recover
  if (!from_backup && from_dump === undefined) return undefined
  const key = from_backup ? 'recover.from_backup' : 'recover.from_dump'
  return new AppError('RECOVERY_NOT_IN_THIS_VERSION', {
    what: 'Nothing was started',
    why: `the config says caretaker.${key}, and this version cannot bring data back from a backup or dump`,
    next: `Use a version that can, or take ${key} out of the config and type "caretaker up" to begin with nothing`,
    key: `caretaker.${key}`,
  })
}

/** @throws AppError RECOVERY_NOT_IN_THIS_VERSION */
export function assertServable(config: Config): void {
  const unservable = unservableBecause(config)
  if (unservable) throw unservable
}
