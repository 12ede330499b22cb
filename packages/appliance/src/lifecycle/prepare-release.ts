import { join } from 'node:path'
import type { StepContext } from '@caretaker/steps/step.ts'
import { originOf } from '../config/clone.ts'
import type { BuildTools } from '../release/install.ts'
import { prepareRelease } from '../release/prepare.ts'
import type { PinnedSource } from '../release/release.ts'
import { type Appliance, programFolder } from './appliance.ts'
import { prepareImages } from './release-images.ts'
import { fetchFor } from './wanted-release.ts'

/** Fetches and builds a release in the state folder, from what the plan pinned; for a clone one of its origin. @throws AppError BUILD_FAILED, SOURCE_…, IMAGE_… */
export async function prepareFor(
  appliance: Appliance,
  app: string,
  pinned: PinnedSource,
  context: StepContext,
): Promise<void> {
  const { fetched, application } = await fetchFor(
    appliance,
    originOf(appliance.config, app),
    pinned,
    context.signal,
  )
  const isContained = appliance.runtime.kind === 'docker'
  const release = await prepareRelease(appliance.ports, {
    stateFolder: appliance.stateFolder,
    application,
    fetched,
    tools: isContained ? undefined : await buildTools(appliance),
    builtBy: appliance.programs.version,
    signal: context.signal,
    progress: (message) => context.progress(message),
  })
  if (isContained) await prepareImages(appliance, release, application, context)
}

async function buildTools(appliance: Appliance): Promise<BuildTools> {
  return {
    node: join(await programFolder(appliance, 'node'), 'bin', 'node'),
    pnpm: join(await programFolder(appliance, 'pnpm'), 'pnpm'),
    npm: undefined,
    environment: appliance.programs.outgoing,
  }
}
