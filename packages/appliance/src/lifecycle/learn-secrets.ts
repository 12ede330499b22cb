import { learnUrlPasswords } from '@caretaker/kernel/secrets.ts'
import type { Application } from '../application/application.ts'
import { readAppRecord } from './app-records.ts'
import { loadRelease } from './app-release.ts'
import type { Appliance } from './appliance.ts'

/**
 * Takes note of every secret of this appliance, so that all are masked in what is quoted from logs: the passwords it
 * made, and those in URLs of compose files. Those of the config are known since it was read.
 */
export async function learnSecrets(appliance: Appliance): Promise<void> {
  const { secrets, config, ports, folders } = appliance
  await secrets.learn()
  for (const app of Object.keys(config.applications)) {
    const record = await readAppRecord(ports.files, folders.apps, app).catch(() => undefined)
    if (record?.releaseId === undefined) continue
    const loaded = await loadRelease(appliance, app, record.releaseId).catch(() => undefined)
    if (loaded) learnFromCompose(loaded.application)
  }
}

/** Values of a compose file are no secrets, but a URL among them may hold a password. */
export function learnFromCompose({ name, services }: Application): void {
  for (const { environment } of services)
    for (const [variable, value] of Object.entries(environment))
      learnUrlPasswords(`${name}/${variable}`, value)
}
