import { HOUR_MS } from '@caretaker/kernel/time.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import type { Appliance } from '../appliance.ts'
import { clearFailure, updateFacts } from '../facts.ts'
import { observeApps } from '../observe.ts'
import { refreshGateway, willRoute } from '../refresh-gateway.ts'
import { startEnded } from '../start-again.ts'

/**
 * Lets the gateway hand requests to an application that has proved itself. What of it ended since, as with a container
 * engine that was killed, is started again first: after a commit nobody else does that before the end of the operation.
 */
export const gatewayRoute = (appliance: Appliance) =>
  defineStep<{ readonly app: string }, null>({
    kind: 'gateway.route',
    describe: ({ app }) =>
      `Let the gateway serve ${app} at ${(appliance.config.applications[app]?.hosts ?? []).join(', ')}`,
    async check({ app }) {
      const observed = (await observeApps(appliance)).find((entry) => entry.app === app)
      const ready = observed?.upstream !== undefined && !observed.record.stopped
      return ready && (await willRoute(appliance)) ? { state: 'done' } : { state: 'needed', before: null }
    },
    async apply({ app }, _before, { signal }) {
      const { ports, stateFolder } = appliance
      await updateFacts(ports.files, stateFolder, (facts) => ({
        failures: clearFailure(facts.failures, app),
      }))
      await startEnded(appliance, app, signal)
      await refreshGateway(appliance)
    },
    undo: 'not-needed',
    timeoutMs: HOUR_MS,
  })
