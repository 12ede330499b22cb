import type { Owner } from '@caretaker/ports/files.ts'
import type { Processes } from '@caretaker/ports/process.ts'
import type { Cells } from '../cells.ts'
import type { ServiceSpec } from '../runtime.ts'
import { admitMail } from './close-network.ts'
import type { Engine } from './engine.ts'

export interface CloneMailOptions {
  readonly cells: Pick<Cells, 'open' | 'endUnused'>
  /** Who the sinks run as; undefined: as the user we are, who is then not root. */
  readonly owner: Owner | undefined
}

/**
 * The sinks of clones in containers: each is a process of this machine, outside of all containers, and listens at this
 * machine's address in the network of its clone and nowhere else.
 */
export interface CloneMail {
  /** Where a service hands in its mail, as its container reaches it; the sink is there. Undefined: it is no clone's. */
  urlFor(spec: ServiceSpec, network: string): Promise<string | undefined>
  /** Ends the sink of a clone of which there is no container. */
  end(app: string): Promise<void>
}

export function createCloneMail(
  engine: Pick<Engine, 'network'>,
  processes: Pick<Processes, 'run'>,
  isRoot: boolean,
  options: CloneMailOptions | undefined,
): CloneMail {
  return {
    async urlFor(spec, network) {
      const { isolation } = spec
      if (!isolation || !options) return undefined
      const host = (await engine.network(network))?.gateway
      if (host === undefined) return undefined
      const { owner: _, ...rest } = spec
      const { smtpPort } = await options.cells.open(
        { ...rest, owner: options.owner },
        { ...isolation, hide: [], show: [], ports: [], open: true },
        host,
      )
      if (isRoot) await admitMail(processes, network, { host, port: smtpPort })
      return `smtp://${host}:${smtpPort}`
    },

    async end(app) {
      await options?.cells.endUnused(app)
    },
  }
}
