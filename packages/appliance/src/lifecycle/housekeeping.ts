import { join } from 'node:path'
import { createPlan, planStep } from '@caretaker/steps/plan.ts'
import { isNothingToDo, previewPlan } from '@caretaker/steps/preview.ts'
import { type OperationResult, runPlanLocked } from '@caretaker/steps/runner.ts'
import { boundLog } from '../runtime/logs.ts'
import { type Appliance, runnerFor } from './appliance.ts'
import { applianceSteps } from './plan-up.ts'
import { refreshGateway } from './refresh-gateway.ts'
import { certificatesEnsure } from './steps/certificates.ts'

/** Sets logs aside that have become too large. */
export async function boundLogs({ ports, folders }: Appliance): Promise<void> {
  for (const folder of (await ports.files.list(folders.logs)) ?? []) {
    for (const entry of (await ports.files.list(join(folders.logs, folder.name))) ?? []) {
      if (entry.name.endsWith('.log'))
        await boundLog(ports.files, join(folders.logs, folder.name, entry.name))
    }
  }
}

/**
 * Renews certificates that have a third of their life left; undefined when there are none. The caller holds the lock.
 */
export async function renewCertificatesLocked(
  appliance: Appliance,
  signal: AbortSignal,
): Promise<OperationResult | undefined> {
  const registry = applianceSteps(appliance)
  const plan = createPlan({
    name: 'renew-certificates',
    purpose: 'renew certificates',
    onFailure: 'stop',
    steps: [planStep(certificatesEnsure(appliance), null, 'appliance')],
  })
  if (isNothingToDo(await previewPlan(registry, plan, signal))) return undefined
  const result = await runPlanLocked(
    runnerFor(appliance, registry, () => undefined),
    plan,
    signal,
  )
  if (result.outcome === 'done') await refreshGateway(appliance)
  return result
}
