import { MINUTE_MS, SECOND_MS } from '@caretaker/kernel/time.ts'
import { createPlan, type Plan, type PlannedStep, planStep } from '@caretaker/steps/plan.ts'
import type { Application } from '../application/application.ts'
import type { PinnedSource } from '../release/release.ts'
import type { Slot } from '../runtime/runtime.ts'
import type { Updating } from './app-records.ts'
import type { Appliance } from './appliance.ts'
import { configRef } from './steps/config-ref.ts'
import { dataMigrate } from './steps/data-migrate.ts'
import { dataSwitch } from './steps/data-switch.ts'
import { gatewayHold, gatewayRelease } from './steps/gateway-hold.ts'
import { gatewayRoute } from './steps/gateway-route.ts'
import { databaseCreate, postgresFetch } from './steps/postgres.ts'
import { releasePrepare } from './steps/release-prepare.ts'
import { releaseProve } from './steps/release-prove.ts'
import { releaseRetire, releaseStop } from './steps/release-stop.ts'
import { roomHold } from './steps/room-hold.ts'
import { serviceStart } from './steps/service-start.ts'
import { snapshotTake } from './steps/snapshot-take.ts'
import { snapshotsTidy } from './steps/snapshots-expire.ts'
import { updateBegin } from './steps/update-begin.ts'
import { updateCommit } from './steps/update-commit.ts'

/** How long requests that were under way at the switch may go on, websockets too (kamal-proxy: 30 s). */
export const DRAIN_MS = 30 * SECOND_MS
/** How long a release is watched after its commit (Home Assistant: 15 minutes to running). */
export const WATCH_MS = 15 * MINUTE_MS
/** A hold outlasts the change it is for by this much, in case the process that would end it dies. */
const HOLD_BEYOND_MS = 30 * MINUTE_MS

/** A change of the release of an application, decided in every detail. */
export interface Change {
  readonly app: string
  readonly updating: Updating
  /** Of the release that comes. */
  readonly application: Application
  /** Source of the release that comes, where that ran before and may be gone in part since. */
  readonly pinned?: PinnedSource
  readonly slots: { readonly from: Slot; readonly to: Slot }
  /** Branch, tag or commit that the config names from then on; absent: it stays as it is. */
  readonly ref?: string
  /** The command that does it anew. */
  readonly again: string
  /** What happens to the data: nothing; it is migrated; it goes back to a snapshot. */
  readonly data:
    | { readonly kind: 'stays' }
    | { readonly kind: 'migrates'; readonly snapshot: string; readonly failedAs: string }
    | {
        readonly kind: 'goes-back'
        readonly snapshot: string
        readonly keepAs: string
        readonly failedAs: string
      }
}

/** Every step of the change, in order. Up to the commit all of it is taken back when one fails. */
export function planChange(appliance: Appliance, change: Change): Plan {
  const { app, updating } = change
  const steps = change.data.kind === 'stays' ? besideSteps(appliance, change) : heldSteps(appliance, change)
  return createPlan({
    name: `${updating.kind}-${app}`,
    purpose:
      updating.kind === 'update'
        ? `update ${app} from ${updating.fromVersion} to ${updating.toVersion}${withoutRehearsal(updating)}`
        : `take ${app} back from ${updating.fromVersion} to ${updating.toVersion}`,
    onFailure: 'undo',
    onInterruption: 'go-back',
    steps: [
      ...prepareSteps(appliance, change),
      planStep(updateBegin(appliance), { app, updating: updating as never }, app),
      ...steps,
      ...(change.ref === undefined ? [] : [planStep(configRef(appliance), { app, ref: change.ref }, app)]),
    ],
  })
}

/** A release that ran long ago is made whole while the one of now serves. */
function prepareSteps(appliance: Appliance, change: Change): readonly PlannedStep[] {
  const { app, updating, application, pinned } = change
  if (!pinned) return []
  const input = { app, releaseId: updating.to, pinned: pinned as never }
  const isContained = appliance.runtime.kind === 'docker'
  return [
    planStep(releasePrepare(appliance), input, app),
    ...(application.database && isContained ? [planStep(postgresFetch(appliance), null, app)] : []),
  ]
}

/** Why a person went on all the same: the audit log names the purpose with every step. */
function withoutRehearsal({ noRehearsal }: Updating): string {
  return noRehearsal === undefined ? '' : ` without rehearsal: ${noRehearsal}`
}

/** The new release is started beside the old one, which serves until the new one has proved itself: nobody notices. */
function besideSteps(appliance: Appliance, change: Change): readonly PlannedStep[] {
  const { app, updating, slots } = change
  const old = { app, releaseId: updating.from, slot: slots.from }
  return [
    ...extensionSteps(appliance, change),
    ...startSteps(appliance, change),
    commitStep(appliance, change, null),
    planStep(gatewayRoute(appliance), { app }, app),
    planStep(releaseRetire(appliance), { ...old, drainMs: DRAIN_MS }, app),
    planStep(snapshotsTidy(appliance), { app, snapshot: null }, app),
  ]
}

/** Requests wait while the data changes: nothing that was acknowledged is newer than the snapshot. */
function heldSteps(appliance: Appliance, change: Change): readonly PlannedStep[] {
  const { app, updating, slots, data, application } = change
  const old = { app, releaseId: updating.from, slot: slots.from }
  const next = { app, releaseId: updating.to, slot: slots.to }
  const limitMs = (application.migrate?.timeoutMs ?? 0) + HOLD_BEYOND_MS
  const ofData: PlannedStep[] = []
  if (data.kind === 'migrates') {
    const { snapshot, failedAs } = data
    ofData.push(
      planStep(snapshotTake(appliance), { app, snapshot }, app),
      ...extensionSteps(appliance, change),
      planStep(dataMigrate(appliance), { ...next, snapshot, failedAs }, app),
    )
  } else if (data.kind === 'goes-back') {
    const { snapshot, keepAs, failedAs } = data
    const input = { app, releaseId: updating.to, snapshot, keepAs, failedAs }
    ofData.push(planStep(dataSwitch(appliance), input, app))
  }
  const snapshot = data.kind === 'migrates' ? data.snapshot : null
  return [
    ...(data.kind === 'migrates' ? [planStep(roomHold(appliance), { app }, app)] : []),
    planStep(gatewayHold(appliance), { app, limitMs, drainMs: DRAIN_MS }, app),
    planStep(releaseStop(appliance), old, app),
    ...ofData,
    ...startSteps(appliance, change),
    commitStep(appliance, change, data.kind === 'goes-back' ? data.keepAs : snapshot),
    planStep(gatewayRoute(appliance), { app }, app),
    planStep(gatewayRelease(appliance), { app }, app),
    planStep(snapshotsTidy(appliance), { app, snapshot }, app),
  ]
}

/** A release may need extensions of Postgres that the one before did not; the application's role cannot make them. */
function extensionSteps(appliance: Appliance, { app, application }: Change): readonly PlannedStep[] {
  const { extensions = [] } = application.database ?? {}
  return extensions.length === 0 ? [] : [planStep(databaseCreate(appliance), { app, extensions }, app)]
}

function startSteps(appliance: Appliance, change: Change): readonly PlannedStep[] {
  const { app, updating, slots, application, data, again } = change
  const isAskedAgain = updating.kind === 'update' && data.kind === 'stays'
  const next = { app, releaseId: updating.to, slot: slots.to }
  return [
    ...application.services.map(({ name: service }) =>
      planStep(serviceStart(appliance), { ...next, service }, `${app}.${service}`),
    ),
    planStep(releaseProve(appliance), isAskedAgain ? { ...next, stays: true, again } : next, app),
  ]
}

/** `snapshot`: the data from right before, by which the release that goes can come back. */
function commitStep(appliance: Appliance, change: Change, snapshot: string | null): PlannedStep {
  const { app, updating, slots, data } = change
  const { id, kind, from } = updating
  // What has migrated can go back with its data only, and that a person decides.
  const watchMs = kind === 'update' && data.kind === 'stays' ? WATCH_MS : 0
  const next = { app, releaseId: updating.to, slot: slots.to }
  return planStep(updateCommit(appliance), { ...next, id, kind, from, snapshot, watchMs }, app)
}
