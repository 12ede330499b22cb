import {
  createPlan,
  createRegistry,
  type Plan,
  type PlannedStep,
  planStep,
  type StepRegistry,
} from '@caretaker/steps/plan.ts'
import type { Application } from '../application/application.ts'
import type { WantedCertificate } from '../certificates/wanted.ts'
import type { PinnedSource } from '../release/release.ts'
import { APPLIANCE, parseServiceKey, type Slot } from '../runtime/runtime.ts'
import { POSTGRES_SERVICE } from './app-database.ts'
import type { Appliance } from './appliance.ts'
import type { Facts } from './facts.ts'
import { CADDY_SERVICE, GATEWAY_SERVICE } from './gateway-service.ts'
import { acmeDownload, acmeFinalize } from './steps/acme-finalize.ts'
import { acmeAccount, acmeOrder } from './steps/acme-order.ts'
import { acmeValidate } from './steps/acme-validate.ts'
import { appCommit } from './steps/app-commit.ts'
import { appMigrate } from './steps/app-migrate.ts'
import { appForget, unitRemove } from './steps/app-remove.ts'
import { certificatesEnsure } from './steps/certificates.ts'
import { certificatesServe } from './steps/certificates-serve.ts'
import { cloneCreate } from './steps/clone-create.ts'
import { cloneRemove } from './steps/clone-remove.ts'
import { cloneOpen, cloneRebuild, cloneScrub } from './steps/clone-settle.ts'
import { configRef } from './steps/config-ref.ts'
import { dataMigrate } from './steps/data-migrate.ts'
import { dataSwitch } from './steps/data-switch.ts'
import { gatewayHold, gatewayRelease } from './steps/gateway-hold.ts'
import { gatewayRoute } from './steps/gateway-route.ts'
import { gatewayStart } from './steps/gateway-start.ts'
import { databaseCreate, postgresCreate, postgresFetch, postgresStart } from './steps/postgres.ts'
import { programsStage } from './steps/programs-stage.ts'
import { rehearsalBegin, rehearsalEnd } from './steps/rehearsal-logs.ts'
import { rehearsalMigrate } from './steps/rehearsal-migrate.ts'
import { rehearsalAccept, rehearsalSmoke } from './steps/rehearsal-test.ts'
import { rehearsalWatch } from './steps/rehearsal-watch.ts'
import { releaseAsk } from './steps/release-ask.ts'
import { releasePrepare } from './steps/release-prepare.ts'
import { releaseProve } from './steps/release-prove.ts'
import { releaseRetire, releaseStop } from './steps/release-stop.ts'
import { roomHold } from './steps/room-hold.ts'
import { secretsRemove } from './steps/secrets-remove.ts'
import { serviceStart } from './steps/service-start.ts'
import { snapshotTake } from './steps/snapshot-take.ts'
import { snapshotsTidy } from './steps/snapshots-expire.ts'
import { serviceStop } from './steps/stop.ts'
import { storagePrepare } from './steps/storage-prepare.ts'
import { unitCreate } from './steps/unit-create.ts'
import { updateBegin } from './steps/update-begin.ts'
import { updateCommit } from './steps/update-commit.ts'
import { userCreate } from './steps/user-create.ts'

const CERTIFICATES = 'certificates'

/** Every kind of step that a journal of this appliance can name. */
export function applianceSteps(appliance: Appliance): StepRegistry {
  return createRegistry([
    gatewayStart(appliance),
    userCreate(appliance),
    programsStage(appliance),
    certificatesEnsure(appliance),
    acmeAccount(appliance),
    acmeOrder(appliance),
    acmeValidate(appliance),
    acmeFinalize(appliance),
    acmeDownload(appliance),
    certificatesServe(appliance),
    storagePrepare(appliance),
    releasePrepare(appliance),
    unitCreate(appliance),
    postgresFetch(appliance),
    postgresCreate(appliance),
    postgresStart(appliance),
    databaseCreate(appliance),
    appMigrate(appliance),
    serviceStart(appliance),
    appCommit(appliance),
    gatewayRoute(appliance),
    serviceStop(appliance),
    updateBegin(appliance),
    gatewayHold(appliance),
    roomHold(appliance),
    gatewayRelease(appliance),
    releaseStop(appliance),
    releaseRetire(appliance),
    releaseProve(appliance),
    snapshotTake(appliance),
    snapshotsTidy(appliance),
    dataMigrate(appliance),
    dataSwitch(appliance),
    updateCommit(appliance),
    configRef(appliance),
    secretsRemove(appliance),
    unitRemove(appliance),
    appForget(appliance),
    cloneCreate(appliance),
    cloneScrub(appliance),
    cloneRebuild(appliance),
    cloneOpen(appliance),
    cloneRemove(appliance),
    releaseAsk(appliance),
    rehearsalBegin(appliance),
    rehearsalMigrate(appliance),
    rehearsalSmoke(appliance),
    rehearsalAccept(appliance),
    rehearsalWatch(appliance),
    rehearsalEnd(appliance),
  ])
}

/** The service page with certificates of its own: what can be shown while nothing may be started. */
export function planFront(appliance: Appliance): Plan {
  return createPlan({
    name: 'up',
    purpose: 'show the service page',
    onFailure: 'stop',
    steps: [
      planStep(gatewayStart(appliance), null, 'appliance'),
      planStep(certificatesEnsure(appliance), null, 'appliance'),
    ],
  })
}

/**
 * The part of `up` that comes before every application. The service page is first, before anything that can fail.
 */
export function planBase(appliance: Appliance, facts: Facts, firstStart: boolean): Plan {
  const isRoot = appliance.ports.machine.user().uid === 0
  const scope = 'appliance'
  return createPlan({
    name: 'up',
    purpose: 'start the appliance',
    onFailure: 'stop',
    steps: [
      planStep(gatewayStart(appliance), null, scope),
      planStep(certificatesEnsure(appliance), null, scope),
      ...(isRoot
        ? [planStep(userCreate(appliance), null, scope), planStep(programsStage(appliance), null, scope)]
        : []),
      planStep(storagePrepare(appliance), { firstStart: firstStart || !facts.startedBefore }, scope),
    ],
  })
}

/** An application and the release it shall run. */
export interface WantedRelease {
  readonly app: string
  readonly releaseId: string
  readonly pinned: PinnedSource
  readonly application: Application
  /** Where its services run. */
  readonly slot: Slot
}

/**
 * Brings one application up with the given release. Goes on after a failure when it is repeated. `strays` are services
 * that run and are none of this release.
 */
export function planApp(appliance: Appliance, wanted: WantedRelease, strays: readonly string[] = []): Plan {
  const { app, releaseId, application } = wanted
  const release = { app, releaseId }
  const database = application.database
  return createPlan({
    name: `start-${app}`,
    purpose: `start ${app} ${application.version}`,
    onFailure: 'stop',
    steps: [
      planStep(releasePrepare(appliance), { ...release, pinned: wanted.pinned as never }, app),
      ...(database && appliance.runtime.kind === 'docker'
        ? [planStep(postgresFetch(appliance), null, app)]
        : []),
      planStep(unitCreate(appliance), release, app),
      ...(database
        ? [
            planStep(postgresCreate(appliance), { app }, app),
            planStep(postgresStart(appliance), { app }, app),
            planStep(databaseCreate(appliance), { app, extensions: database.extensions }, app),
          ]
        : []),
      ...strays.map((key) => stopStep(appliance, app, key)),
      ...(application.migrate ? [planStep(appMigrate(appliance), release, app)] : []),
      ...application.services.map((service) =>
        planStep(serviceStart(appliance), { ...release, service: service.name }, `${app}.${service.name}`),
      ),
      planStep(appCommit(appliance), release, app),
      planStep(gatewayRoute(appliance), { app }, app),
    ],
  })
}

/** Stops what runs under a `serviceKey`. */
function stopStep(appliance: Appliance, app: string, key: string): PlannedStep {
  const { service, slot } = parseServiceKey(key)
  const input = slot === 'a' ? { app, service } : { app, service, slot }
  return planStep(serviceStop(appliance), input, `${app}.${key}`)
}

/** Stops the services of an application, those that depend on others first; its Postgres last, when asked. */
export function planStopApp(
  appliance: Appliance,
  app: string,
  services: readonly string[],
  options: { readonly database: boolean; readonly purpose: string },
): Plan {
  const names = [...services.toReversed(), ...(options.database ? [POSTGRES_SERVICE] : [])]
  return createPlan({
    name: `stop-${app}`,
    purpose: options.purpose,
    onFailure: 'stop',
    steps: [
      ...names.map((key) => stopStep(appliance, app, key)),
      planStep(secretsRemove(appliance), { app }, app),
    ],
  })
}

/** Gets one certificate from the ACME server. Nothing of it is noticed by visitors before it is served. */
export function planObtain(appliance: Appliance, wanted: WantedCertificate): Plan {
  const input = { name: wanted.name, hosts: wanted.hosts }
  return createPlan({
    name: `obtain-${wanted.name}`,
    purpose: `get the certificate for ${wanted.hosts.join(', ')}`,
    onFailure: 'stop',
    steps: [
      planStep(acmeAccount(appliance), null, CERTIFICATES),
      planStep(acmeOrder(appliance), input, CERTIFICATES),
      planStep(acmeValidate(appliance), input, CERTIFICATES),
      planStep(acmeFinalize(appliance), input, CERTIFICATES),
      planStep(acmeDownload(appliance), input, CERTIFICATES),
    ],
  })
}

/** Has the gateway show the certificates that were chosen. */
export function planServeCertificates(appliance: Appliance): Plan {
  return createPlan({
    name: 'serve-certificates',
    purpose: 'show the certificates',
    onFailure: 'stop',
    steps: [planStep(certificatesServe(appliance), null, CERTIFICATES)],
  })
}

/** Stops the gateway, after what holds its ports: the last part of `down`. */
export function planStopGateway(appliance: Appliance): Plan {
  const stop = (service: string, scope: string) =>
    planStep(serviceStop(appliance), { app: APPLIANCE, service }, scope)
  const byCaddy = appliance.config.gateway.engine === 'caddy'
  return createPlan({
    name: 'down',
    purpose: 'stop the gateway',
    onFailure: 'stop',
    steps: [...(byCaddy ? [stop(CADDY_SERVICE, 'appliance.caddy')] : []), stop(GATEWAY_SERVICE, 'appliance')],
  })
}

/** Takes an application off this machine; its data only when asked. */
export function planRemoveApp(
  appliance: Appliance,
  app: string,
  services: readonly string[],
  withData: boolean,
): Plan {
  const stop = planStopApp(appliance, app, services, { database: true, purpose: '' })
  return createPlan({
    name: `remove-${app}`,
    purpose: withData ? `remove ${app} with its data` : `remove ${app} and keep its data`,
    onFailure: 'stop',
    steps: [
      ...stop.steps,
      ...(withData ? [planStep(unitRemove(appliance), { app }, app)] : []),
      planStep(appForget(appliance), { app, withData }, app),
    ],
  })
}
