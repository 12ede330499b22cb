import { posix } from 'node:path'
import type { Application, Service } from '../application/application.ts'
import { serviceEnvironment } from '../application/wiring.ts'
import { DEFAULT_HEALTH, DEFAULT_STOP } from '../runtime/defaults.ts'
import { wordsOf } from '../runtime/docker/words.ts'
import type { ContainerSpec, HealthSpec, ServiceSpec, Slot } from '../runtime/runtime.ts'
import { databaseAddress, POSTGRES_SERVICE } from './app-database.ts'
import { appFolders, volumeFolder } from './app-files.ts'
import type { LoadedRelease } from './app-release.ts'
import { secretValue, sourceOf } from './app-secrets.ts'
import type { Appliance } from './appliance.ts'
import { serviceLog } from './folders.ts'
import { isolationOf } from './isolation.ts'
import { learnFromCompose } from './learn-secrets.ts'
import { publicUrl } from './public-url.ts'
import type { ServiceImage } from './release-images.ts'

/** Where a container finds its secrets, as the compose specification says. */
const SECRETS_FOLDER = '/run/secrets'

/** No mail leaves a clone. Where it goes in place of this is known when its network is there. */
const NO_MAIL = { SMTP_URL: 'smtp://127.0.0.1:25' }

/** Everything the runtime needs to run one service of a prepared release in a container. */
export async function containedServiceSpec(
  appliance: Appliance,
  { release, application, images }: LoadedRelease,
  service: Service,
  slot: Slot,
): Promise<ServiceSpec> {
  learnFromCompose(application)
  const app = application.name
  const image = images?.[service.name]
  if (!image) throw new Error(`${release.releaseId} of ${app} was not prepared for containers`)
  const isClone = appliance.config.applications[app]?.clone !== undefined
  const address = application.database ? await databaseAddress(appliance, app) : undefined
  return {
    app,
    service: service.name,
    slot,
    releaseId: release.releaseId,
    command: commandOf(service, image),
    cwd: posix.resolve(image.workingDir, service.workingDir ?? '.'),
    env: {
      ...serviceEnvironment(application, service, {
        publicUrl: publicUrl(appliance, app),
        timeZone: appliance.config.identity.time_zone,
        // Both are the image's own.
        home: undefined,
        path: undefined,
        database: address && { ...address, host: POSTGRES_SERVICE },
        listenPorts: Object.fromEntries(listening(application)),
        urls: Object.fromEntries(
          listening(application).map(([name, port]) => [name, `http://${name}:${port}`] as const),
        ),
        volumePaths: Object.fromEntries(service.mounts.map(({ volume, target }) => [volume, target])),
        secretFiles: Object.fromEntries(
          service.secrets.map(({ secret, target }) => [secret, secretPath(target)]),
        ),
        secrets: appliance.config.applications[app]?.secrets ?? {},
        environment: isClone ? application.clone.environment : {},
      }),
      ...(isClone ? NO_MAIL : {}),
    },
    secrets: service.secrets.map(({ secret }) =>
      secretValue(appliance, application, sourceOf(application, secret)),
    ),
    owner: undefined,
    logFile: serviceLog(appliance.folders, app, service.name),
    stop: { ...DEFAULT_STOP, signal: service.stopSignal, graceMs: service.stopGraceMs },
    health: healthOf(application, service, image),
    restart: service.restart === 'unless-stopped' ? 'always' : service.restart,
    container: containerOf(appliance, application, service, image),
    ...(await isolationOf(appliance, app)),
  }
}

/** The port that a service is told to listen on: of several, the first it names; the web service's is the one visited. */
function listening(application: Application): readonly (readonly [string, number])[] {
  return application.services.flatMap(({ name, ports: [port] }) =>
    port === undefined ? [] : [[name, port] as const],
  )
}

const secretPath = (target: string) => posix.resolve(SECRETS_FOLDER, target)

function containerOf(
  appliance: Appliance,
  application: Application,
  service: Service,
  image: ServiceImage,
): ContainerSpec {
  const folders = appFolders(appliance, application.name)
  return {
    image: image.reference,
    volumes: service.mounts.map(({ volume: name, target, readOnly }) => {
      const volume = application.volumes.find((entry) => entry.name === name)
      if (!volume) throw new Error(`${application.name} declares no volume ${name}`)
      return { name, folder: volumeFolder(appliance, application.name, volume), target, readOnly }
    }),
    binds: service.secrets.map(({ secret, target }) => ({
      from: posix.join(folders.secrets, secret),
      to: secretPath(target),
      readOnly: true,
    })),
    settings: {
      ...service.container,
      ...(service.user === undefined ? {} : { user: service.user }),
      ...(service.init ? { init: true } : {}),
    },
  }
}

/** As the compose specification merges them: an entrypoint of the file leaves nothing of the image's command. */
function commandOf(service: Service, image: ServiceImage): ServiceSpec['command'] {
  const entrypoint = service.entrypoint === undefined ? image.entrypoint : wordsOf(service.entrypoint)
  const otherwise = service.entrypoint === undefined ? image.command : []
  const words = [...entrypoint, ...(service.command === undefined ? otherwise : wordsOf(service.command))]
  return words as unknown as ServiceSpec['command']
}

/** The health path for the web service; for others the check of the compose file, else the one of the image. */
function healthOf(application: Application, service: Service, image: ServiceImage): HealthSpec | undefined {
  const { web } = application
  const check = service.healthcheck
  const times = check
    ? {
        intervalMs: check.intervalMs,
        timeoutMs: check.timeoutMs,
        retries: check.retries,
        startPeriodMs: check.startPeriodMs,
      }
    : timesOf(image)
  if (web.service === service.name)
    return { ...times, probe: { kind: 'http', port: web.port, path: web.health } }
  const test = check ? check.test : testOf(image)
  if (test === undefined) return undefined
  const command = typeof test === 'string' ? ['/bin/sh', '-c', test] : test
  return { ...times, probe: { kind: 'command', command } }
}

function testOf({ healthcheck }: ServiceImage): readonly string[] | string | undefined {
  const [form, ...words] = healthcheck?.test ?? []
  if (form === 'CMD') return words
  return form === 'CMD-SHELL' ? words[0] : undefined
}

function timesOf({ healthcheck }: ServiceImage): Omit<HealthSpec, 'probe'> {
  return {
    intervalMs: healthcheck?.intervalMs || DEFAULT_HEALTH.intervalMs,
    timeoutMs: healthcheck?.timeoutMs || DEFAULT_HEALTH.timeoutMs,
    retries: healthcheck?.retries || DEFAULT_HEALTH.retries,
    startPeriodMs: healthcheck?.startPeriodMs || DEFAULT_HEALTH.startPeriodMs,
  }
}
