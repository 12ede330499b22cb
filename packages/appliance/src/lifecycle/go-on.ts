import type { EmitEvent } from '@caretaker/steps/events.ts'
import { type OperationResult, resumeOperationLocked } from '@caretaker/steps/runner.ts'
import { type Appliance, runnerFor } from './appliance.ts'
import { rememberOutcome, underLock } from './change-release.ts'
import { readFacts } from './facts.ts'
import { applianceSteps } from './plan-up.ts'
import { refreshGateway } from './refresh-gateway.ts'

/**
 * Goes on with an interrupted operation, or takes it back. Afterwards no application is said to stand between two
 * releases that this has brought to an end.
 * @throws AppError OPERATION_UNKNOWN, OPERATION_ENDED, JOURNAL_DAMAGED, LOCKED
 */
export async function goOnWith(
  appliance: Appliance,
  operation: string,
  wanted: 'resume' | 'undo',
  emit: EmitEvent,
  signal: AbortSignal,
): Promise<OperationResult> {
  const { ports, stateFolder } = appliance
  return underLock(appliance, `${wanted} ${operation}`, signal, async (signal) => {
    const runner = runnerFor(appliance, applianceSteps(appliance), emit)
    const result = await resumeOperationLocked(runner, operation, wanted, signal)
    const { failures } = await readFacts(ports.files, stateFolder)
    const unfinished = Object.keys(failures).filter((part) => failures[part]?.code === 'UPDATE_UNFINISHED')
    for (const app of unfinished) await rememberOutcome(appliance, app)
    if (unfinished.length > 0) await refreshGateway(appliance).catch(() => undefined)
    return result
  })
}
