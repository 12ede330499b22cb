import { AppError } from '@caretaker/kernel/errors.ts'
import type { Config } from '../config/config.ts'

/**
 * What a valid config may ask for and this version cannot do.
 * @throws AppError RECOVERY_NOT_IN_THIS_VERSION
 */
export function assertServable(config: Config): void {
  const { from_backup, from_dump } = config.recover
  if (!from_backup && from_dump === undefined) return
  const key = from_backup ? 'recover.from_backup' : 'recover.from_dump'
  throw new AppError('RECOVERY_NOT_IN_THIS_VERSION', {
    what: 'Nothing was started',
    why: `the config says caretaker.${key}, and this version cannot bring data back from a backup or dump`,
    next: `Use a version that can, or take ${key} out of the config and type "caretaker up" to begin with nothing`,
    key: `caretaker.${key}`,
  })
}
