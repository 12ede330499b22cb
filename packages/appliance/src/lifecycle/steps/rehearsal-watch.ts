import { AppError } from '@caretaker/kernel/errors.ts'
import { DAY_MS, formatDuration, SECOND_MS } from '@caretaker/kernel/time.ts'
import { defineStep, type StepContext } from '@caretaker/steps/step.ts'
import type { Service } from '../../application/application.ts'
import { probeHealth } from '../../runtime/health.ts'
import { lastWords } from '../../runtime/logs.ts'
import { readAppRecord } from '../app-records.ts'
import { type LoadedRelease, loadRelease } from '../app-release.ts'
import type { Appliance } from '../appliance.ts'
import { checkStage, noteStage } from '../rehearsal-stages.ts'
import { serviceSpec } from '../service-specs.ts'
import type { RehearsedRelease } from './rehearsal-migrate.ts'

type WatchInput = RehearsedRelease & { readonly watchMs: number }

/** Between two looks at the same service. */
const LOOK_MS = SECOND_MS

/** Looks for a while whether every service of a release that passed its tests goes on running and stays healthy. */
export const rehearsalWatch = (appliance: Appliance) =>
  defineStep<WatchInput, null>({
    kind: 'rehearsal.watch',
    describe: ({ clone, watchMs }) =>
      `Watch for ${formatDuration(watchMs)} whether all services of ${clone} stay healthy`,
    check: ({ clone }) => checkStage(appliance, clone, 'watched'),
    async apply({ clone, releaseId, watchMs }, _before, context) {
      const { clock } = appliance.ports
      const loaded = await loadRelease(appliance, clone, releaseId)
      const failed = new Map<string, number>()
      const endMs = clock.monotonicMs() + watchMs
      while (clock.monotonicMs() < endMs) {
        context.signal.throwIfAborted()
        for (const service of loaded.application.services)
          await look(appliance, loaded, service, failed, context)
        await clock.wait(Math.min(LOOK_MS, Math.max(0, endMs - clock.monotonicMs())), context.signal)
      }
      await noteStage(appliance, clone, 'watched')
    },
    undo: 'not-needed',
    timeoutMs: DAY_MS,
  })

/** `failed` counts the probes that failed one after the other; as many as the health check allows are forgiven. */
async function look(
  appliance: Appliance,
  loaded: LoadedRelease,
  service: Service,
  failed: Map<string, number>,
  { signal }: StepContext,
): Promise<void> {
  const { ports, runtime, folders } = appliance
  const { name: clone } = loaded.application
  const record = await readAppRecord(ports.files, folders.apps, clone)
  if (record.completed[service.name] === loaded.release.releaseId) return
  const spec = await serviceSpec(appliance, loaded, record, service)
  const health = await probeHealth(ports, runtime, spec, signal)
  const times = health.state === 'healthy' ? 0 : (failed.get(service.name) ?? 0) + 1
  failed.set(service.name, times)
  if (health.state === 'healthy') return
  const isRunning = (await runtime.status(clone, service.name, spec.slot))?.state === 'running'
  if (isRunning && times < Math.max(1, spec.health?.retries ?? 1)) return
  await runtime.gatherLogs().catch(() => undefined)
  const said = await lastWords(ports.files, spec.logFile, 5)
  throw new AppError(isRunning ? 'SERVICE_UNHEALTHY' : 'SERVICE_START_FAILED', {
    what: `The service ${service.name} of ${clone} did not stay healthy`,
    why: `${isRunning ? health.why : 'it ended by itself after it had passed the tests'}${said}`,
    next: 'Correct what it complains about in the release, then rehearse it again',
  })
}
