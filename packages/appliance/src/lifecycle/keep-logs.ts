import { join } from 'node:path'
import { appFolders } from './app-files.ts'
import type { Appliance } from './appliance.ts'
import { keptLogs } from './revert-data.ts'

/** Copies the logs of an application beside the state that is kept of it: its own log files go on. */
export async function keepLogs(appliance: Appliance, app: string, snapshot: string): Promise<void> {
  const { files } = appliance.ports
  await appliance.runtime.gatherLogs().catch(() => undefined)
  const { logs } = appFolders(appliance, app)
  const folder = keptLogs(appliance, app, snapshot)
  await files.makeFolder(folder, 0o700)
  for (const { name, kind } of (await files.list(logs)) ?? []) {
    if (kind !== 'file' || !name.endsWith('.log')) continue
    const text = await files.readText(join(logs, name))
    if (text !== undefined) await files.write(join(folder, name), text, 0o600)
  }
}
