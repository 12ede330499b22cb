import { AppError } from '@caretaker/kernel/errors.ts'
import type { AppRecord, TakenBack } from './app-records.ts'
import type { UpdateTarget } from './update-target.ts'

/** A release as a command names it. */
type Named = Pick<UpdateTarget, 'releaseId' | 'name' | 'ref'>

/**
 * " --to X" where the command without it would go to another release, or be refused because this one was left; empty
 * where it goes there by itself.
 */
export function toOption(record: Pick<AppRecord, 'left'>, { releaseId, name, ref }: Named): string {
  return ref !== undefined || leftRelease(record, releaseId) ? ` --to ${name}` : ''
}

/** The command that brings an application to exactly this release. */
export const updateCommand = (app: string, record: Pick<AppRecord, 'left'>, target: Named) =>
  `caretaker app update ${app}${toOption(record, target)}`

/** When and why an application went back from a release that had been in force; undefined when it did not. */
export const leftRelease = ({ left = [] }: Pick<AppRecord, 'left'>, releaseId: string) =>
  left.find((entry) => entry.releaseId === releaseId)

/** A release that an application went back from comes again only when somebody names it. @throws AppError UPDATE_REFUSED */
export function refuseLeft(
  app: string,
  record: Pick<AppRecord, 'left'>,
  target: Named & { readonly application: { readonly version: string } },
): void {
  const left = leftRelease(record, target.releaseId)
  if (!left) return
  throw new AppError('UPDATE_REFUSED', {
    what: `${app} was not updated`,
    why: `its source holds ${target.application.version}, which ${whenTakenBack(left)}`,
    next: `To take it all the same: ${updateCommand(app, record, target)}`,
  })
}

/** "was taken back at …: …" */
export const whenTakenBack = ({ at, why }: TakenBack) => `was taken back at ${at}: ${why}`
