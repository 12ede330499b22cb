import { AppError } from '@caretaker/kernel/errors.ts'
import type { StepContext } from '@caretaker/steps/step.ts'
import { serviceNamed } from '../application/application.ts'
import type { Slot } from '../runtime/runtime.ts'
import { commandTail, quotedCommand, runInService } from './app-command.ts'
import { loadRelease } from './app-release.ts'
import type { Appliance } from './appliance.ts'

/** Runs the smoke test of a release that runs; nothing when it has none. @throws AppError SMOKE_FAILED */
export async function runSmoke(
  appliance: Appliance,
  app: string,
  releaseId: string,
  { slot }: { readonly slot?: Slot },
  { signal, progress }: StepContext,
): Promise<void> {
  const { application } = await loadRelease(appliance, app, releaseId)
  const { smoke } = application
  if (!smoke) return
  const service = serviceNamed(application, smoke.service)
  const options = { timeoutMs: smoke.timeoutMs, onLine: progress, ...(slot === undefined ? {} : { slot }) }
  const result = await runInService(appliance, app, releaseId, service, smoke.command, options, signal)
  if (result.exitCode === 0) return
  throw new AppError('SMOKE_FAILED', {
    what: `${app} started but does not pass its smoke test, so it is not served`,
    why: `${quotedCommand(smoke.command)} ${commandTail(result, smoke.timeoutMs)}`,
    next: `Run "caretaker logs ${app}" and correct what it complains about, then "caretaker up"`,
  })
}
