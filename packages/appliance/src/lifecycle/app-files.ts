import { join } from 'node:path'
import type { Appliance } from './appliance.ts'

/** Folders of one application on this machine. Absolute paths. */
export interface AppFolders {
  /** Unix socket of its Postgres. */
  readonly socket: string
  /** Its secrets as files, one each. */
  readonly secrets: string
  /** The current snapshot unit: database and files. */
  readonly unit: string
  readonly postgres: string
  readonly volatile: string
  readonly home: string
  readonly logs: string
}

export function appFolders(appliance: Appliance, app: string): AppFolders {
  const { config, folders, storage } = appliance
  const unit = storage.unitPath(app)
  const volatile = join(folders.volatile, app)
  const secrets = join(folders.secrets, app)
  return {
    socket: join(folders.run, 'pg', app),
    // A clone sees the folder around it, which stays while secrets come and go.
    secrets: config.applications[app]?.clone ? join(secrets, 'files') : secrets,
    unit,
    postgres: join(unit, 'postgres'),
    volatile,
    home: join(volatile, 'home'),
    logs: join(folders.logs, app),
  }
}

/** Where a volume of the application lies: in its snapshot unit, or where it may be lost. */
export function volumeFolder(
  appliance: Appliance,
  app: string,
  volume: { readonly name: string; readonly kind: 'data' | 'volatile' },
): string {
  const { unit, volatile } = appFolders(appliance, app)
  return volume.kind === 'data' ? join(unit, 'files', volume.name) : join(volatile, 'volumes', volume.name)
}

/** Makes a folder that belongs to the service user. */
export async function makeServiceFolder(appliance: Appliance, path: string, mode = 0o700): Promise<void> {
  const { files } = appliance.ports
  await files.makeFolder(path, mode)
  if (appliance.serviceUser) await files.setOwner(path, appliance.serviceUser)
}
