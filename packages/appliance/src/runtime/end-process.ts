import { AppError } from '@caretaker/kernel/errors.ts'
import { formatDuration } from '@caretaker/kernel/time.ts'
import type { Ports } from '@caretaker/ports/ports.ts'
import type { ProcessIdentity } from '@caretaker/ports/process.ts'
import type { StopSpec } from './runtime.ts'

type EndPorts = Pick<Ports, 'processes' | 'clock'>

/** How long a process may take to vanish after the signal that cannot be caught. */
const LAST_SIGNAL_LIMIT_MS = 30_000

/**
 * Ends a process with its group; does not mind if it is gone. `name`: of its program, where that is known.
 * @throws AppError COMMAND_TIMEOUT when it is there after the last signal
 */
export async function endProcess(
  ports: EndPorts,
  identity: ProcessIdentity,
  stop: StopSpec,
  name?: string,
): Promise<void> {
  const { processes } = ports
  if (!(await processes.isAlive(identity))) return
  await processes.signal(identity, stop.signal)
  if (await endsWithin(ports, identity, stop.graceMs)) return
  await processes.signal(identity, stop.lastSignal)
  if (await endsWithin(ports, identity, LAST_SIGNAL_LIMIT_MS)) return
  throw new AppError('COMMAND_TIMEOUT', {
    what: `Process ${identity.pid}${name === undefined ? '' : ` (${name})`} did not end`,
    why: `it is still there ${formatDuration(LAST_SIGNAL_LIMIT_MS)} after ${stop.lastSignal}`,
    next: `Look at what it waits for ("cat /proc/${identity.pid}/wchan", "dmesg"), then repeat the command`,
  })
}

async function endsWithin(
  { processes, clock }: EndPorts,
  identity: ProcessIdentity,
  limitMs: number,
): Promise<boolean> {
  const overdue = new AbortController()
  const ended = new AbortController()
  await Promise.race([
    processes.waitForExit(identity, overdue.signal).finally(() => ended.abort()),
    clock.wait(limitMs, ended.signal).then(() => overdue.abort()),
  ]).catch(() => undefined)
  return !(await processes.isAlive(identity))
}
