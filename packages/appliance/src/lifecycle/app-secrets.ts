import { join } from 'node:path'
import { isAppError } from '@caretaker/kernel/errors.ts'
import type { Secret } from '@caretaker/kernel/secrets.ts'
import { withOperationLock } from '@caretaker/steps/operation-lock.ts'
import type { Application } from '../application/application.ts'
import { POSTGRES_SERVICE } from './app-database.ts'
import { appFolders, makeServiceFolder } from './app-files.ts'
import type { Appliance } from './appliance.ts'
import { assertOwnFolder } from './own-folder.ts'

/**
 * Puts the secrets of an application where its services read them; readable by the service user only.
 * @throws AppError NO_PERMISSION when the folder for them is not ours alone
 */
export async function writeSecretFiles(appliance: Appliance, application: Application): Promise<void> {
  const { files } = appliance.ports
  const { secrets: folder } = appFolders(appliance, application.name)
  if (application.secrets.length === 0) return
  await makeSecretFolder(appliance, application.name)
  for (const { name, source } of application.secrets) {
    const path = join(folder, name)
    const value = secretValue(appliance, application, source).reveal()
    // A container reads its own ones as whatever user its image has; the folder around keeps all others out.
    const isContained = appliance.runtime.kind === 'docker'
    const mode = isContained ? 0o444 : 0o400
    // One that was written for the other runtime could not be read.
    if ((await files.stat(path))?.mode === mode && (await files.readText(path)) === value) continue
    await files.remove(`${path}.tmp`)
    await files.write(`${path}.tmp`, value, mode)
    if (isContained) await files.setMode(`${path}.tmp`, 0o444)
    else if (appliance.serviceUser) await files.setOwner(`${path}.tmp`, appliance.serviceUser)
    await files.rename(`${path}.tmp`, path)
  }
}

/**
 * The folder for the secrets of an application: of the service user, in memory if this machine has a place there.
 * @throws AppError NO_PERMISSION when the folder around it is not ours alone
 */
export async function makeSecretFolder(appliance: Appliance, app: string): Promise<void> {
  const { ports, folders } = appliance
  await ports.files.makeFolder(folders.secrets, 0o711)
  await assertOwnFolder(ports, folders.secrets)
  await makeServiceFolder(appliance, appFolders(appliance, app).secrets)
}

/** Whether every secret of the application is where its services read it: memory is empty after a boot. */
export async function hasSecretFiles(appliance: Appliance, application: Application): Promise<boolean> {
  const { secrets: folder } = appFolders(appliance, application.name)
  const found = await Promise.all(
    application.secrets.map(({ name }) => appliance.ports.files.stat(join(folder, name))),
  )
  return found.every((info) => info !== undefined)
}

/** The key in the config of a secret of the compose file. */
export function sourceOf(application: Application, name: string): string {
  const found = application.secrets.find((secret) => secret.name === name)
  if (!found) throw new Error(`${application.name} declares no secret ${name}`)
  return found.source
}

/** The value that an application gets under a name of its config. */
export function secretValue(appliance: Appliance, application: Application, source: string): Secret {
  const value = appliance.config.applications[application.name]?.secrets[source]
  if (!value) throw new Error(`the secret ${source} of ${application.name} was not checked`)
  return value
}

/**
 * Removes the secret files that a command has left of an application none of whose services runs. While an operation
 * is under way it does nothing: that one decides what runs.
 */
export async function tidySecretFiles(appliance: Appliance, app: string): Promise<void> {
  const { ports, stateFolder, actor, pid, runtime } = appliance
  try {
    await withOperationLock(ports, stateFolder, { actor, purpose: 'remove secret files', pid }, async () => {
      const services = (await runtime.list()).filter((status) => status.app === app)
      if (services.some(({ service }) => service !== POSTGRES_SERVICE)) return
      await ports.files.remove(appFolders(appliance, app).secrets)
    })
  } catch (error) {
    if (!isAppError(error, 'LOCKED')) throw error
  }
}
