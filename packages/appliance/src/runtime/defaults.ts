import { SECOND_MS } from '@caretaker/kernel/time.ts'
import type { HealthSpec, StopSpec } from './runtime.ts'

/** Grace time of the seeds' origin for containers. */
export const DEFAULT_STOP: StopSpec = { signal: 'SIGTERM', graceMs: 20 * SECOND_MS, lastSignal: 'SIGKILL' }

/** kamal-proxy asks every second and waits 5 s for the answer; 30 s for a start. */
export const DEFAULT_HEALTH: Omit<HealthSpec, 'probe'> = {
  intervalMs: SECOND_MS,
  timeoutMs: 5 * SECOND_MS,
  retries: 5,
  startPeriodMs: 30 * SECOND_MS,
}
