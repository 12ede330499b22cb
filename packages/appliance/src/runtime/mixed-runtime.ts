import { APPLIANCE, type Runtime, type ServiceSpec, type ServiceStatus, type Slot } from './runtime.ts'

/**
 * Applications in containers or as processes, the appliance's own parts as processes. `kind` is what the config says; what
 * runs of an application in the other one, from before that was changed, is known, stopped like any other service, and never
 * runs beside what is started.
 */
export function createMixedRuntime(own: Runtime, containers: Runtime, kind: Runtime['kind']): Runtime {
  const ofSpec = (spec: ServiceSpec) => (spec.container ? containers : own)

  async function holderOf(app: string, service: string, slot?: Slot): Promise<Runtime> {
    if (app === APPLIANCE || (await own.status(app, service, slot))) return own
    return containers
  }

  return {
    kind,
    async start(spec) {
      const { app, service, slot } = spec
      const other = spec.container ? own : containers
      if (app !== APPLIANCE && (await other.status(app, service, slot))) await other.stop(app, service, slot)
      await ofSpec(spec).start(spec)
    },
    async stop(app, service, slot) {
      await own.stop(app, service, slot)
      if (app !== APPLIANCE) await containers.stop(app, service, slot)
    },
    async forget(app) {
      await own.forget(app)
      await containers.forget(app)
    },
    status: async (app, service, slot) => (await holderOf(app, service, slot)).status(app, service, slot),
    async list() {
      const lists: readonly (readonly ServiceStatus[])[] = [await own.list(), await containers.list()]
      return lists.flat()
    },
    waitForExit: async (app, service, signal, slot) =>
      (await holderOf(app, service, slot)).waitForExit(app, service, signal, slot),
    runOnce: async (spec, ...rest) => ofSpec(spec).runOnce(spec, ...rest),
    runInside: async (spec, ...rest) => ofSpec(spec).runInside(spec, ...rest),
    cell: (app) => own.cell(app),
    damaged: () => own.damaged(),
    mend: (record) => own.mend(record),
    gatherLogs: () => containers.gatherLogs(),
    async endStrays(app) {
      await own.endStrays(app)
      await containers.endStrays(app)
    },
    async endLeftovers() {
      return [...(await own.endLeftovers()), ...(await containers.endLeftovers())]
    },
  }
}
