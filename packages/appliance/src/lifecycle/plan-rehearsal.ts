import { type PlannedStep, planStep } from '@caretaker/steps/plan.ts'
import type { Appliance } from './appliance.ts'
import { type CloneInput, cloneCreate } from './steps/clone-create.ts'
import { cloneRemove } from './steps/clone-remove.ts'
import { cloneRebuild, cloneScrub } from './steps/clone-settle.ts'
import { databaseCreate, postgresFetch, postgresStart } from './steps/postgres.ts'
import { rehearsalBegin, rehearsalEnd } from './steps/rehearsal-logs.ts'
import { rehearsalMigrate } from './steps/rehearsal-migrate.ts'
import { rehearsalAccept, rehearsalSmoke } from './steps/rehearsal-test.ts'
import { rehearsalWatch } from './steps/rehearsal-watch.ts'
import { releaseAsk } from './steps/release-ask.ts'
import { serviceStart } from './steps/service-start.ts'
import { unitCreate } from './steps/unit-create.ts'
import type { UpdateTarget } from './update-target.ts'

/** What a rehearsal takes beside the release. */
export interface RehearsalWish {
  /** The clone may reach the outside where the system allows no isolation. */
  readonly allowOutside: boolean
  /** How long the services are watched after the tests, in ms. */
  readonly watchMs: number
}

/**
 * The update on a clone, as production would take it, and more. The migration meets the data as it is; it is scrubbed
 * before any service starts. `appliance` knows the clone already (`withClones`). `id` names the rehearsal.
 */
export function rehearsalSteps(
  appliance: Appliance,
  target: UpdateTarget,
  { watchMs }: RehearsalWish,
  { input, id }: { readonly input: CloneInput; readonly id: string },
): readonly PlannedStep[] {
  const { app, clone } = input
  const { releaseId, application } = target
  const { database, migrate, rebuild, smoke, acceptance, services } = application
  const rehearsed = { app, clone, releaseId }
  const release = { app: clone, releaseId }
  const stage = { clone, releaseId }
  const logs = { app, clone, id }
  return [
    ...(database && appliance.runtime.kind === 'docker'
      ? [planStep(postgresFetch(appliance), null, clone)]
      : []),
    planStep(cloneCreate(appliance), input, clone),
    planStep(rehearsalBegin(appliance), logs, clone),
    planStep(unitCreate(appliance), release, clone),
    ...(database
      ? [
          planStep(postgresStart(appliance), { app: clone }, clone),
          planStep(databaseCreate(appliance), { app: clone, extensions: database.extensions }, clone),
        ]
      : []),
    ...(migrate
      ? [
          planStep(releaseAsk(appliance), rehearsed, clone),
          planStep(rehearsalMigrate(appliance), rehearsed, clone),
        ]
      : []),
    ...(application.clone.scrub === undefined ? [] : [planStep(cloneScrub(appliance), stage, clone)]),
    ...(rebuild ? [planStep(cloneRebuild(appliance), stage, clone)] : []),
    ...services.map(({ name }) =>
      planStep(serviceStart(appliance), { ...release, service: name }, `${clone}.${name}`),
    ),
    ...(smoke ? [planStep(rehearsalSmoke(appliance), rehearsed, clone)] : []),
    ...(acceptance ? [planStep(rehearsalAccept(appliance), rehearsed, clone)] : []),
    ...(watchMs > 0 ? [planStep(rehearsalWatch(appliance), { ...rehearsed, watchMs }, clone)] : []),
    planStep(rehearsalEnd(appliance), logs, clone),
    planStep(cloneRemove(appliance), { clone }, clone),
  ]
}
