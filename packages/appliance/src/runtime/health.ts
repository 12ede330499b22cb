import { AppError, messageOf } from '@caretaker/kernel/errors.ts'
import { SECOND_MS } from '@caretaker/kernel/time.ts'
import { lastLines } from '@caretaker/ports/command.ts'
import { waitUntil } from '@caretaker/ports/deadline.ts'
import type { Ports } from '@caretaker/ports/ports.ts'
import { foreignListener } from './foreign-listener.ts'
import { lastWords } from './logs.ts'
import { type HealthSpec, LOOPBACK, type Runtime, type ServiceSpec } from './runtime.ts'

type HealthPorts = Pick<Ports, 'network' | 'machine' | 'clock' | 'files'>

/** A service without a probe counts as started when it still runs after this time: most wrong settings show by then. */
const SETTLE_MS = SECOND_MS

export type Health = { readonly state: 'healthy' } | { readonly state: 'unhealthy'; readonly why: string }

/**
 * What a service answers to one probe. A service without a probe is healthy when it runs. What another user answers on
 * its port does not count.
 */
export async function probeHealth(
  ports: Pick<Ports, 'network' | 'machine'>,
  runtime: Runtime,
  spec: ServiceSpec,
  signal: AbortSignal,
): Promise<Health> {
  const status = await runtime.status(spec.app, spec.service, spec.slot)
  if (status?.state !== 'running') return { state: 'unhealthy', why: 'it does not run' }
  if (!spec.health) return { state: 'healthy' }
  const { probe, timeoutMs } = spec.health
  if (probe.kind === 'command') {
    const result = await runtime.runInside(spec, probe.command, { timeoutMs }, signal)
    if (result.exitCode === 0) return { state: 'healthy' }
    const said = lastLines(result.stderr.trim() === '' ? result.stdout : result.stderr, 2)
    const ending = result.timedOut ? 'did not end in time' : `ended with ${result.exitCode ?? result.signal}`
    return { state: 'unhealthy', why: `its health command ${ending}${said === '' ? '' : `: ${said}`}` }
  }
  if (status.address === undefined) {
    const foreign = await foreignListener(ports, probe.port, spec.owner)
    if (foreign !== undefined) return { state: 'unhealthy', why: foreign }
  }
  try {
    const url = `http://${status.address ?? LOOPBACK}:${probe.port}${probe.path}`
    const response = await ports.network.request({ url, timeoutMs })
    if (response.status >= 200 && response.status < 400) return { state: 'healthy' }
    return { state: 'unhealthy', why: `${probe.path} answers ${response.status}${excerpt(response.body)}` }
  } catch (error) {
    return { state: 'unhealthy', why: `${probe.path} does not answer: ${messageOf(error)}` }
  }
}

function excerpt(body: string): string {
  const text = body.replaceAll(/\s+/g, ' ').trim().slice(0, 200)
  return text === '' || text.startsWith('<') ? '' : `: ${text}`
}

/**
 * How long a start may take: the start period and then as many failing probes as are allowed. At least 30 s, the
 * deploy limit of kamal-proxy, since most compose files name no start period.
 */
export function startLimitMs(health: HealthSpec): number {
  const named = health.startPeriodMs + health.retries * (health.intervalMs + health.timeoutMs)
  return Math.max(named, 30 * SECOND_MS)
}

/**
 * Waits until a service that was just started is healthy. Gives up at once when it ends.
 * @throws AppError SERVICE_START_FAILED, SERVICE_UNHEALTHY; both with the last lines of its log.
 */
export async function waitHealthy(
  ports: HealthPorts,
  runtime: Runtime,
  spec: ServiceSpec,
  signal: AbortSignal,
): Promise<void> {
  const limitMs = spec.health ? startLimitMs(spec.health) : 5 * SETTLE_MS
  const settledMs = ports.clock.monotonicMs() + SETTLE_MS
  let last = 'it was never asked'
  const reached = await waitUntil(ports.clock, { timeoutMs: limitMs, intervalMs: 50, signal }, async () => {
    const status = await runtime.status(spec.app, spec.service, spec.slot)
    if (status?.state !== 'running') return 'ended' as const
    if (!spec.health && ports.clock.monotonicMs() < settledMs) return undefined
    const health = await probeHealth(ports, runtime, spec, signal)
    if (health.state === 'healthy') return 'healthy' as const
    last = health.why
    return undefined
  })
  if (reached === 'healthy') return
  if (signal.aborted) throw cancelled(`${spec.service} of ${spec.app}`)
  await runtime.gatherLogs().catch(() => undefined)
  const said = await lastWords(ports.files, spec.logFile, 5)
  const name = `${spec.service} of ${spec.app}`
  const next = `Run "caretaker logs ${spec.app} ${spec.service}" and correct what it complains about, then "caretaker up"`
  if (reached === 'ended') {
    const status = await runtime.status(spec.app, spec.service, spec.slot)
    const memory = status?.outOfMemory ? `, because ${memoryWords(spec)}` : ''
    throw new AppError('SERVICE_START_FAILED', {
      what: `The service ${name} does not start`,
      why: `it ended right after its start${memory}${said}`,
      next: status?.outOfMemory ? `Raise its mem_limit, or let it use less; then "caretaker up"` : next,
    })
  }
  throw new AppError('SERVICE_UNHEALTHY', {
    what: `The service ${name} is not healthy`,
    why: `${last}, for ${Math.round(limitMs / SECOND_MS)} s${said}`,
    next,
  })
}

/** What is said of a service that the kernel has ended for its use of memory. */
export function memoryWords({ container }: Pick<ServiceSpec, 'container'> = {}): string {
  const limit = container?.settings['mem_limit']
  const named = typeof limit === 'string' || typeof limit === 'number' ? ` (mem_limit ${limit})` : ''
  return `it used more memory than it may${named} and was ended by the kernel`
}

function cancelled(name: string): AppError {
  return new AppError('CANCELLED', {
    what: `The health of ${name} was not waited for`,
    why: 'the operation was cancelled',
    next: '"caretaker operation list" shows it; "caretaker up" goes on',
  })
}
