import { dirname } from 'node:path'
import { AppError } from '@caretaker/kernel/errors.ts'
import type { Application } from '../application/application.ts'
import { type PinnedSource, releaseIdOf } from '../release/release.ts'
import { resolveSource } from '../release/resolve.ts'
import { parseSource } from '../release/source.ts'
import type { Appliance } from './appliance.ts'
import { fetchFor, sourceOptions } from './wanted-release.ts'

/** The release that an update goes to. */
export interface UpdateTarget {
  readonly releaseId: string
  readonly pinned: PinnedSource
  readonly application: Application
  /** What follows `--to` for it: a branch, tag or commit where the source is git, `HEAD` too; else its version. */
  readonly name: string
  /** What the config names from then on; undefined when it stays as it is. */
  readonly ref: string | undefined
}

/**
 * What the source of an application holds now, fetched and pinned. `to` is a branch, tag or commit where the source is
 * git; elsewhere it must be the version that the source holds.
 * @throws AppError SOURCE_…, COMPOSE_…, UPDATE_REFUSED when the source holds another version, or for a clone
 */
export async function updateTarget(
  appliance: Appliance,
  app: string,
  to: string | undefined,
  signal: AbortSignal,
): Promise<UpdateTarget> {
  const configured = appliance.config.applications[app] as Appliance['config']['applications'][string]
  refuseClone(app, configured.clone?.app)
  const place = { text: configured.source, baseFolder: dirname(appliance.configFile) }
  const source = parseSource({ ...place, ref: configured.ref })
  const isGit = source.kind === 'git'
  const held = isGit ? (source.ref ?? 'HEAD') : ''
  const wanted = isGit && to !== undefined ? parseSource({ ...place, ref: to }) : source
  const pinned = await resolveSource(appliance.ports, wanted, sourceOptions(appliance, signal))
  const { application } = await fetchFor(appliance, app, pinned, signal)
  if (!isGit && to !== undefined && application.version !== to) {
    throw new AppError('UPDATE_REFUSED', {
      what: `${app} was not updated`,
      why: `its source ${configured.source} holds ${application.version}, not ${to}`,
      next: `Put ${to} there, or name the place that holds it as "source" of ${app} in the config; then repeat the command`,
    })
  }
  return {
    releaseId: releaseIdOf(application.version, pinned.pin),
    pinned,
    application,
    name: isGit ? (to ?? held) : application.version,
    ref: isGit && to !== undefined && to !== held ? to : undefined,
  }
}

/** A clone runs what its origin ran: nothing is known of a source of its own. @throws AppError UPDATE_REFUSED */
export function refuseClone(app: string, origin: string | undefined): void {
  if (origin === undefined) return
  throw new AppError('UPDATE_REFUSED', {
    what: `${app} was not updated`,
    why: `it is a clone of ${origin}, and a clone keeps the release of its origin`,
    next: `caretaker app update ${origin}, or to try it on a clone first: caretaker app rehearse ${origin}`,
  })
}
