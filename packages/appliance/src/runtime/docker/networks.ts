import type { Processes } from '@caretaker/ports/process.ts'
import { notIsolated } from '../isolation.ts'
import { parseServiceKey, type ServiceSpec, type Slot } from '../runtime.ts'
import { bridgeName, closeNetwork, forgetNetwork, sealNetwork } from './close-network.ts'
import { type ContainedSpec, isKeptIn, LABEL, projectOf } from './compose-file.ts'
import type { Container, Engine } from './engine.ts'

export interface NetworksOptions {
  readonly applianceId: string
  readonly isRoot: boolean
}

/**
 * The networks of applications: one for each slot in which something of it is, since an engine has addresses for few. What
 * services of both slots reach, as Postgres, is in those that there are. All of it may be repeated after an interruption.
 */
export interface Networks {
  /**
   * Makes the network of a slot, closed as the spec wants it, and lets those reach it whom all reach.
   * @throws AppError CLONE_NOT_ISOLATED, COMMAND_FAILED
   */
  make(spec: ServiceSpec, slot: Slot): Promise<void>
  /** The slots in whose networks a container is: its own; of one that all reach, those in which something is. */
  slotsFor(spec: ContainedSpec): Promise<readonly Slot[]>
  /** Removes the networks in which there is nobody but those whom all reach, unless it is the only one. */
  tidy(app: string): Promise<void>
}

const SLOTS: readonly Slot[] = ['a', 'b']

export function createNetworks(
  engine: Engine,
  processes: Pick<Processes, 'run'>,
  { applianceId, isRoot }: NetworksOptions,
): Networks {
  const nameOf = (app: string, slot: Slot) => projectOf(applianceId, app, slot)

  async function membersOf(app: string) {
    const all = await engine.list([`${LABEL.appliance}=${applianceId}`, `${LABEL.app}=${app}`])
    const shared = all.filter(isReachedByAll)
    return { shared, slots: new Set(all.filter((container) => !isReachedByAll(container)).map(slotOf)) }
  }

  async function close(network: string, spec: ServiceSpec): Promise<void> {
    if (isRoot) await closeNetwork(processes, network)
    if (!isKeptIn(spec)) return
    if (!isRoot)
      throw notIsolated(`${spec.app} was not started`, 'only root may close networks of containers')
    await sealNetwork(processes, network)
  }

  return {
    async make(spec, slot) {
      const { app } = spec
      const name = nameOf(app, slot)
      await engine.createNetwork({
        name,
        internal: isKeptIn(spec),
        labels: { [LABEL.appliance]: applianceId, [LABEL.app]: app },
        bridge: bridgeName(name),
      })
      await close(name, spec)
      for (const { id, labels, networks } of (await membersOf(app)).shared)
        if (!networks.includes(name))
          await engine.connect(name, id, parseServiceKey(labels[LABEL.service] ?? '').service)
    },

    async slotsFor({ app, slot = 'a', container }) {
      if (!container.reachedByAll) return [slot]
      const { slots } = await membersOf(app)
      return slots.size === 0 ? [slot] : SLOTS.filter((each) => slots.has(each))
    },

    async tidy(app) {
      const { shared, slots } = await membersOf(app)
      // Between two releases, and while it is down but for its database: the one that is there stays.
      if (slots.size === 0 && shared.length > 0) return
      for (const slot of SLOTS.filter((each) => !slots.has(each))) {
        const name = nameOf(app, slot)
        if ((await engine.network(name))?.labels[LABEL.appliance] !== applianceId) continue
        for (const { id, networks } of shared) if (networks.includes(name)) await engine.disconnect(name, id)
        // Before the network: of one that is gone, nobody would look for its rules.
        if (isRoot) await forgetNetwork(processes, name).catch(() => undefined)
        await engine.removeNetwork(name)
      }
    },
  }
}

const isReachedByAll = ({ labels }: Container) => labels[LABEL.reachedByAll] !== undefined
const slotOf = ({ labels }: Container) => parseServiceKey(labels[LABEL.service] ?? '').slot
