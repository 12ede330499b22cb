import { join } from 'node:path'
import type { Application } from '../application/application.ts'
import { appFolders, makeServiceFolder } from './app-files.ts'
import type { Appliance } from './appliance.ts'

/** Puts the secrets of an application where its services read them; readable by the service user only. */
export async function writeSecretFiles(appliance: Appliance, application: Application): Promise<void> {
  const { files } = appliance.ports
  const { secrets: folder } = appFolders(appliance, application.name)
  if (application.secrets.length === 0) return
  await files.makeFolder(join(folder, '..'), 0o711)
  await makeServiceFolder(appliance, folder)
  for (const { name, source } of application.secrets) {
    const value = appliance.config.applications[application.name]?.secrets[source]
    if (!value) throw new Error(`the secret ${source} of ${application.name} was not checked`)
    const path = join(folder, name)
    const present = await files.readText(path)
    if (present === value.reveal()) continue
    await files.write(`${path}.tmp`, value.reveal(), 0o400)
    if (appliance.serviceUser) await files.setOwner(`${path}.tmp`, appliance.serviceUser)
    await files.rename(`${path}.tmp`, path)
  }
}
