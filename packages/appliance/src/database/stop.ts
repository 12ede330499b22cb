import { SECOND_MS } from '@caretaker/kernel/time.ts'
import type { Clock } from '@caretaker/ports/clock.ts'
import type { Processes, ProcessIdentity } from '@caretaker/ports/process.ts'

/**
 * How it ended: `clean` with its data written out, `immediate` with recovery at the next start,
 * `killed` the same but with the risk that children outlive it for a moment; `gone` when it was not running.
 */
export type StopOutcome = 'gone' | 'clean' | 'immediate' | 'killed'

/** Limit for the clean stop: the final checkpoint of a busy cluster takes its time. */
export const STOP_LIMIT_MS = 60 * SECOND_MS

/** A server told to stop at once kills children that do not after 5 s (SIGKILL_CHILDREN_AFTER_SECS of Postgres). */
const IMMEDIATE_LIMIT_MS = 15 * SECOND_MS

/**
 * Stops the server: sessions are ended and the data written out (SIGINT, "fast"); after the limit without writing
 * (SIGQUIT, "immediate"); only what survives that is killed. Nothing committed is lost in any of the three.
 */
export async function stopCluster(
  ports: { readonly processes: Pick<Processes, 'isAlive' | 'signal' | 'waitForExit'>; readonly clock: Clock },
  identity: ProcessIdentity,
  limitMs: number = STOP_LIMIT_MS,
): Promise<StopOutcome> {
  const { processes } = ports
  if (!(await processes.isAlive(identity))) return 'gone'
  await processes.signal(identity, 'SIGINT')
  if (await endsWithin(ports, identity, limitMs)) return 'clean'
  await processes.signal(identity, 'SIGQUIT')
  if (await endsWithin(ports, identity, IMMEDIATE_LIMIT_MS)) return 'immediate'
  await processes.signal(identity, 'SIGKILL')
  await processes.waitForExit(identity)
  return 'killed'
}

async function endsWithin(
  { processes, clock }: { processes: Pick<Processes, 'waitForExit'>; clock: Clock },
  identity: ProcessIdentity,
  limitMs: number,
): Promise<boolean> {
  const over = new AbortController()
  const ended = processes.waitForExit(identity, over.signal).then(
    () => true,
    () => false,
  )
  const limit = new AbortController()
  const timeout = clock.wait(limitMs, limit.signal).then(() => false)
  const result = await Promise.race([ended, timeout])
  over.abort()
  limit.abort()
  return result
}
