import { generatePassword } from '@caretaker/kernel/ids.ts'
import { Secret } from '@caretaker/kernel/secrets.ts'
import type { EmitEvent } from '@caretaker/steps/events.ts'
import { withOperationLock } from '@caretaker/steps/operation-lock.ts'
import { rotatePassword } from '../database/roles.ts'
import { adminAddress, databaseAddress } from './app-database.ts'
import type { Appliance } from './appliance.ts'
import { assertApp } from './apps.ts'
import { type UpReport, upLocked } from './up.ts'

/**
 * Gives the role of an application a new password and starts its services with it. The new one is stored first: when
 * this is interrupted, the next start finds that the role does not accept it and sets it.
 * @throws AppError APP_UNKNOWN, LOCKED
 */
export async function rotateAppPassword(
  appliance: Appliance,
  app: string,
  emit: EmitEvent,
  signal: AbortSignal,
): Promise<UpReport> {
  assertApp(appliance, app)
  const { ports, stateFolder, actor, pid, secrets } = appliance
  return withOperationLock(
    ports,
    stateFolder,
    { actor, purpose: `new database password for ${app}`, pid },
    async () => {
      const admin = await adminAddress(appliance, app)
      const next = new Secret(`${app}/database`, generatePassword())
      await secrets.replace(`${app}/database`, next.reveal())
      const { user } = await databaseAddress(appliance, app)
      await rotatePassword(ports.databases, { ...admin }, user, next)
      return upLocked(appliance, { firstStart: false, only: app }, emit, signal)
    },
  )
}
