import { APPLIANCE, type Runtime, type ServiceSpec, type ServiceStatus } from './runtime.ts'

/**
 * Applications in containers, the appliance's own parts as processes. What still runs as a process of an application,
 * from before the config said `docker`, is stopped like any other service.
 */
export function createMixedRuntime(own: Runtime, containers: Runtime): Runtime {
  const ofSpec = (spec: ServiceSpec) => (spec.container ? containers : own)

  async function holderOf(app: string, service: string): Promise<Runtime> {
    if (app === APPLIANCE || (await own.status(app, service))) return own
    return containers
  }

  return {
    kind: containers.kind,
    async start(spec) {
      if (spec.container && (await own.status(spec.app, spec.service))) await own.stop(spec.app, spec.service)
      await ofSpec(spec).start(spec)
    },
    async stop(app, service) {
      await own.stop(app, service)
      if (app !== APPLIANCE) await containers.stop(app, service)
    },
    status: async (app, service) => (await holderOf(app, service)).status(app, service),
    async list() {
      const lists: readonly (readonly ServiceStatus[])[] = [await own.list(), await containers.list()]
      return lists.flat()
    },
    waitForExit: async (app, service, signal) =>
      (await holderOf(app, service)).waitForExit(app, service, signal),
    runOnce: async (spec, ...rest) => ofSpec(spec).runOnce(spec, ...rest),
    runInside: async (spec, ...rest) => ofSpec(spec).runInside(spec, ...rest),
    damaged: () => own.damaged(),
    mend: (record) => own.mend(record),
    gatherLogs: () => containers.gatherLogs(),
    async endLeftovers() {
      return [...(await own.endLeftovers()), ...(await containers.endLeftovers())]
    },
  }
}
