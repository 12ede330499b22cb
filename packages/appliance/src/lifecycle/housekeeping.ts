import { join } from 'node:path'
import { createPlan, planStep } from '@caretaker/steps/plan.ts'
import { isNothingToDo, previewPlan } from '@caretaker/steps/preview.ts'
import { runPlanLocked } from '@caretaker/steps/runner.ts'
import { boundLog } from '../runtime/logs.ts'
import { type Appliance, runnerFor } from './appliance.ts'
import { applianceSteps } from './plan-up.ts'
import { refreshGateway } from './refresh-gateway.ts'
import { certificatesEnsure } from './steps/certificates.ts'
import { type TendOptions, type TendResult, tendCertificatesLocked } from './tend-certificates.ts'

/** Sets logs aside that have become too large. */
export async function boundLogs({ ports, folders, runtime }: Appliance): Promise<void> {
  // What the engine cannot give now, it gives later.
  await runtime.gatherLogs().catch(() => undefined)
  for (const folder of (await ports.files.list(folders.logs)) ?? []) {
    for (const entry of (await ports.files.list(join(folders.logs, folder.name))) ?? []) {
      if (entry.name.endsWith('.log'))
        await boundLog(ports.files, join(folders.logs, folder.name, entry.name))
    }
  }
}

/**
 * Renews what the own authority has issued and has a third of its life left, and gets what is due from elsewhere. Gives
 * what was done, and what is wrong with certificates now. The caller holds the lock.
 */
export async function renewCertificatesLocked(
  appliance: Appliance,
  options: TendOptions,
): Promise<TendResult> {
  const registry = applianceSteps(appliance)
  const plan = createPlan({
    name: 'renew-certificates',
    purpose: 'renew certificates',
    onFailure: 'stop',
    steps: [planStep(certificatesEnsure(appliance), null, 'appliance')],
  })
  const own = isNothingToDo(await previewPlan(registry, plan, options.signal))
    ? undefined
    : await runPlanLocked(runnerFor(appliance, registry, options.emit), plan, options.signal)
  if (own?.outcome === 'done') await refreshGateway(appliance)
  const { operations, failure } = await tendCertificatesLocked(appliance, options)
  return { operations: own ? [own, ...operations] : operations, failure }
}
