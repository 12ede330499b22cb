import { SECOND_MS } from '@caretaker/kernel/time.ts'
import { defineStep } from '@caretaker/steps/step.ts'
import type { Appliance } from '../appliance.ts'
import { clearFailure, updateFacts } from '../facts.ts'
import { observeApps } from '../observe.ts'
import { refreshGateway, willRoute } from '../refresh-gateway.ts'

/** Lets the gateway hand requests to an application that has proved itself. */
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
    async apply({ app }) {
      const { ports, stateFolder } = appliance
      await updateFacts(ports.files, stateFolder, (facts) => ({
        failures: clearFailure(facts.failures, app),
      }))
      await refreshGateway(appliance)
    },
    undo: 'not-needed',
    timeoutMs: 30 * SECOND_MS,
  })
