import { createPlan, type Plan, planStep } from '@caretaker/steps/plan.ts'
import type { Application } from '../application/application.ts'
import type { Appliance } from './appliance.ts'
import { appCommit } from './steps/app-commit.ts'
import { certificatesEnsure } from './steps/certificates.ts'
import { type CloneInput, cloneCreate } from './steps/clone-create.ts'
import { cloneRemove } from './steps/clone-remove.ts'
import { cloneOpen, cloneRebuild, cloneScrub } from './steps/clone-settle.ts'
import { gatewayRoute } from './steps/gateway-route.ts'
import { databaseCreate, postgresFetch, postgresStart } from './steps/postgres.ts'
import { releasePrepare } from './steps/release-prepare.ts'
import { serviceStart } from './steps/service-start.ts'
import { unitCreate } from './steps/unit-create.ts'

/**
 * Makes a clone with the release that its origin runs, starts it and lets the gateway serve it. Whatever fails, nothing of
 * the clone stays. `appliance` knows the clone already (`withClones`), so that the plan names its address.
 */
export function planClone(appliance: Appliance, input: CloneInput, application: Application): Plan {
  const { app, clone, releaseId, pinned } = input
  const release = { app: clone, releaseId }
  const stage = { clone, releaseId }
  const { database, rebuild, services } = application
  return createPlan({
    name: `clone-${app}`,
    purpose: `clone ${app} to ${clone}`,
    onFailure: 'undo',
    steps: [
      planStep(releasePrepare(appliance), { app, releaseId, pinned }, app),
      ...(database && appliance.runtime.kind === 'docker'
        ? [planStep(postgresFetch(appliance), null, clone)]
        : []),
      planStep(cloneCreate(appliance), input, clone),
      planStep(certificatesEnsure(appliance), null, 'appliance'),
      planStep(unitCreate(appliance), release, clone),
      ...(database
        ? [
            planStep(postgresStart(appliance), { app: clone }, clone),
            planStep(databaseCreate(appliance), { app: clone, extensions: database.extensions }, clone),
          ]
        : []),
      ...(application.clone.scrub === undefined ? [] : [planStep(cloneScrub(appliance), stage, clone)]),
      ...(rebuild ? [planStep(cloneRebuild(appliance), stage, clone)] : []),
      ...services.map(({ name }) =>
        planStep(serviceStart(appliance), { ...release, service: name }, `${clone}.${name}`),
      ),
      planStep(appCommit(appliance), release, clone),
      planStep(gatewayRoute(appliance), { app: clone }, clone),
      planStep(cloneOpen(appliance), { clone }, clone),
    ],
  })
}

/** Ends clones. Goes on after a failure when it is repeated. */
export function planRemoveClones(appliance: Appliance, clones: readonly string[], purpose: string): Plan {
  return createPlan({
    name: 'remove-clone',
    purpose,
    onFailure: 'stop',
    steps: clones.map((clone) => planStep(cloneRemove(appliance), { clone }, clone)),
  })
}
