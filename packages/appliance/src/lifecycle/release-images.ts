import { join } from 'node:path'
import { writeJsonDurably } from '@caretaker/ports/durable.ts'
import type { StepContext } from '@caretaker/steps/step.ts'
import type { Application, Service } from '../application/application.ts'
import { listReleases } from '../release/list.ts'
import { type Release, releaseFolder, releaseSourceFolder } from '../release/release.ts'
import { LABEL, projectOf } from '../runtime/docker/compose-file.ts'
import type { DockerOptions } from '../runtime/docker/docker-command.ts'
import { createEngine, type Engine, type ImageFacts } from '../runtime/docker/engine.ts'
import { buildImage, type ImageWork, type PinnedImage, pullImage } from '../runtime/docker/images.ts'
import type { Appliance } from './appliance.ts'
import { inTurn } from './in-turn.ts'
import { readStateFile } from './state-file.ts'

/** The image of each service of a release, and what it brings along. Plain JSON. */
export type ReleaseImages = Readonly<Record<string, ServiceImage>>

export interface ServiceImage extends Omit<ImageFacts, 'digests' | 'env' | 'id'> {
  /** By digest, or by id when it was built here. */
  readonly reference: string
}

/** How the engine of this appliance is called. Its builder keeps its state in ours: a home may be read-only. */
export function dockerOptions({
  config,
  programs,
  stateFolder,
}: Pick<Appliance, 'config' | 'programs' | 'stateFolder'>): DockerOptions {
  const builder = { BUILDX_CONFIG: join(stateFolder, 'cache', 'buildx') }
  return { socket: config.docker.socket, environment: { ...programs.outgoing, ...builder } }
}

export function engineOf(appliance: Pick<Appliance, 'config' | 'ports'>): Engine {
  return createEngine(appliance.ports.network, appliance.config.docker.socket)
}

const imagesFile = (
  appliance: Pick<Appliance, 'stateFolder'>,
  { app, releaseId }: Pick<Release, 'app' | 'releaseId'>,
) => join(releaseFolder(appliance.stateFolder, app, releaseId), 'images.json')

/** The images of a release that was prepared for containers; undefined when one of them is not pinned yet. */
export async function readImages(
  appliance: Appliance,
  release: Release,
  application: Application,
): Promise<ReleaseImages | undefined> {
  const images = await readStateFile<ReleaseImages>(appliance.ports.files, imagesFile(appliance, release))
  return images && application.services.every(({ name }) => images[name]) ? images : undefined
}

/** The services whose images are not on this machine. @throws AppError ENGINE_UNREACHABLE */
export async function missingImages(appliance: Appliance, images: ReleaseImages): Promise<readonly string[]> {
  const engine = engineOf(appliance)
  const found = await Promise.all(
    Object.entries(images).map(async ([service, { reference }]) =>
      (await engine.image(reference)) ? [] : [service],
    ),
  )
  return found.flat()
}

/**
 * Fetches or builds the images of a release that are not here, and pins them. What was pinned before is fetched by its
 * digest again; an image that was built here is built anew from the source that the release keeps, and has another id.
 * @throws AppError ENGINE_…, IMAGE_…, REGISTRY_UNREACHABLE, BUILD_FAILED, DISK_FULL
 */
export async function prepareImages(
  appliance: Appliance,
  release: Release,
  application: Application,
  { signal, progress }: StepContext,
): Promise<void> {
  const file = imagesFile(appliance, release)
  const work: ImageWork = {
    processes: appliance.ports.processes,
    engine: engineOf(appliance),
    docker: dockerOptions(appliance),
    owner: application.name,
    signal,
    progress: (message) => progress(message),
  }
  // A clone runs the releases of its origin: both may be started at once.
  await inTurn(file, () => pinImages(appliance, release, application, work))
}

async function pinImages(
  appliance: Appliance,
  release: Release,
  application: Application,
  work: ImageWork,
): Promise<void> {
  const file = imagesFile(appliance, release)
  const known = (await readStateFile<ReleaseImages>(appliance.ports.files, file)) ?? {}
  const images: Record<string, ServiceImage> = {}
  /** Services of the same build share an image. */
  const built = new Map<string, PinnedImage>()
  for (const service of application.services) {
    const { name, build, image } = service
    const present = known[name]
    if (present && (await work.engine.image(present.reference))) {
      images[name] = present
      continue
    }
    const key = JSON.stringify(build)
    const pinned = build
      ? (built.get(key) ?? (await builtImage(appliance, release, service, work)))
      : await pullImage(work, known[name]?.reference ?? (image as string))
    if (build) built.set(key, pinned)
    const { entrypoint, command, workingDir, user, healthcheck } = pinned.facts
    images[name] = { reference: pinned.reference, entrypoint, command, workingDir, user, healthcheck }
  }
  await writeJsonDurably(appliance.ports.files, file, images, 0o644)
}

function builtImage(
  appliance: Appliance,
  release: Release,
  { name, build }: Service,
  work: ImageWork,
): Promise<PinnedImage> {
  const { id } = appliance.config
  const { context = '.', dockerfile, args = {} } = build ?? {}
  return buildImage(work, {
    folder: join(releaseSourceFolder(appliance.stateFolder, release), context),
    dockerfile,
    args,
    tag: `${projectOf(id, release.app)}/${name}:${release.releaseId.replaceAll(/[^\w.-]/g, '_')}`,
    label: `${LABEL.appliance}=${id}`,
  })
}

/**
 * Removes the images that were built here and that no release needs any more; one that was fetched stays, as somebody else
 * may use it. The caller holds the lock: nothing is being built.
 * @returns the ids that were removed
 * @throws AppError ENGINE_UNREACHABLE
 */
export async function removeOldImages(
  appliance: Pick<Appliance, 'config' | 'ports' | 'stateFolder'>,
): Promise<readonly string[]> {
  const { ports, stateFolder, config } = appliance
  const engine = engineOf(appliance)
  const needed = new Set<string>()
  for (const { name: app } of (await ports.files.list(join(stateFolder, 'releases'))) ?? [])
    for (const release of await listReleases(ports.files, stateFolder, app)) {
      const images = await readStateFile<ReleaseImages>(ports.files, imagesFile(appliance, release))
      for (const { reference } of Object.values(images ?? {})) needed.add(reference)
    }
  const removed: string[] = []
  for (const id of await engine.listImages([`${LABEL.appliance}=${config.id}`]))
    if (!needed.has(id) && (await engine.removeImage(id))) removed.push(id)
  return removed
}
