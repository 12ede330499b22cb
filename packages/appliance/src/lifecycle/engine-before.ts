import type { Appliance, Surrounding } from './appliance.ts'
import { type Facts, readFacts, updateFacts } from './facts.ts'

/**
 * The engine that may still hold containers of ours although the config does not say `docker` any more; undefined when
 * none can. What cannot be read counts as none: whoever starts a database looks for its users itself.
 */
export async function engineBefore({
  ports,
  stateFolder,
}: Pick<Surrounding, 'ports' | 'stateFolder'>): Promise<Facts['engine']> {
  const { engine } = await readFacts(ports.files, stateFolder).catch((): Partial<Facts> => ({}))
  if (!engine) return undefined
  // Nothing outlives a boot, and the engine starts nothing of ours: one that is gone since then holds nothing that runs.
  const isGone = !(await ports.files.stat(engine.socket)) && engine.bootId !== (await ports.machine.bootId())
  return isGone ? undefined : engine
}

/** Remembers the engine before anything is started in it. */
export async function rememberEngine({ ports, stateFolder, config }: Appliance): Promise<void> {
  if (config.runtime !== 'docker') return
  const engine = { socket: config.docker.socket, bootId: await ports.machine.bootId() }
  await updateFacts(ports.files, stateFolder, () => ({ engine }))
}

/** Forgets the engine once nothing of ours is in it any more. True when it did. */
export async function forgetEngine({ ports, stateFolder, config, runtime }: Appliance): Promise<boolean> {
  if (config.runtime === 'docker') return false
  const { engine } = await readFacts(ports.files, stateFolder)
  if (!engine || (await runtime.list()).some((status) => status.runtime === 'docker')) return false
  await updateFacts(ports.files, stateFolder, () => ({ engine: undefined }))
  return true
}
