import { originOf } from '../config/clone.ts'
import { listReleases } from '../release/list.ts'
import { volumeFolder } from './app-files.ts'
import { readAppRecord } from './app-records.ts'
import type { Appliance } from './appliance.ts'
import { assertApp } from './apps.ts'
import { observeApps } from './observe.ts'
import { publicUrl } from './public-url.ts'
import { listApps, type ServiceLine } from './status.ts'

export interface AppReport {
  readonly app: string
  readonly url: string
  readonly source: string
  readonly release: {
    readonly version: string
    readonly releaseId: string
    readonly pin: string
    readonly builtAt: string
    readonly builtBy: string
  } | null
  readonly releases: readonly string[]
  readonly services: readonly ServiceLine[]
  readonly volumes: readonly { readonly name: string; readonly kind: string; readonly folder: string }[]
  readonly commands: readonly string[]
  readonly jobs: readonly { readonly name: string; readonly schedule: string; readonly missed: string }[]
  readonly snapshots: readonly {
    readonly name: string
    readonly created_at: string | null
    readonly size_bytes: number
    readonly state: string
    /** ISO 8601 instant at which it goes; null: nothing has said when. */
    readonly kept_until: string | null
  }[]
  readonly notices: readonly string[]
}

/** Everything about one application. @throws AppError APP_UNKNOWN */
export async function showApp(appliance: Appliance, app: string): Promise<AppReport> {
  assertApp(appliance, app)
  const observed = (await observeApps(appliance)).find((entry) => entry.app === app)
  const lines = await listApps(appliance)
  const loaded = observed?.running
  const snapshots = (await appliance.storage.hasUnit(app)) ? await appliance.storage.listSnapshots(app) : []
  const { ports, stateFolder, folders, config } = appliance
  const { kept = [] } = await readAppRecord(ports.files, folders.apps, app)
  const releases = await listReleases(ports.files, stateFolder, originOf(config, app))
  return {
    app,
    url: publicUrl(appliance, app),
    source: config.applications[app]?.source ?? '',
    release: loaded
      ? {
          version: loaded.release.version,
          releaseId: loaded.release.releaseId,
          pin: loaded.release.pin,
          builtAt: loaded.release.builtAt,
          builtBy: loaded.release.builtBy,
        }
      : null,
    releases: releases.map((release) => release.releaseId),
    services: lines.find((line) => line.app === app)?.services ?? [],
    volumes: (loaded?.application.volumes ?? []).map((volume) => ({
      ...volume,
      folder: volumeFolder(appliance, app, volume),
    })),
    commands: Object.keys(loaded?.application.commands ?? {}),
    jobs: (loaded?.application.jobs ?? []).map(({ name, schedule, missed }) => ({ name, schedule, missed })),
    snapshots: snapshots.map((snapshot) => ({
      name: snapshot.name,
      created_at: snapshot.createdAt?.toISOString() ?? null,
      size_bytes: snapshot.sizeBytes,
      state: snapshot.state,
      kept_until: kept.find((entry) => entry.snapshot === snapshot.name)?.until ?? null,
    })),
    notices: loaded?.application.notices ?? [],
  }
}
