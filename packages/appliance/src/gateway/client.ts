import { AppError, type ErrorReport, isAppError, messageOf } from '@caretaker/kernel/errors.ts'
import { writeJsonDurably } from '@caretaker/ports/durable.ts'
import type { Ports } from '@caretaker/ports/ports.ts'
import type { Gateway, GatewayPaths, GatewayStatus } from './gateway.ts'
import type { GatewayConfig } from './gateway-config.ts'
import { parseGatewayConfig } from './parse-config.ts'

/** The gateway answers at once, except for draining; applying may have to read many certificates. */
const ANSWER_MS = 15_000

/** The {@link Gateway} of an appliance, spoken to over its control socket. */
export function createGatewayClient(deps: Pick<Ports, 'network' | 'files'>, paths: GatewayPaths): Gateway {
  const call = (method: string, path: string, value?: unknown, extraMs = 0): Promise<unknown> =>
    callControl(deps, paths, { method, path, value, timeoutMs: ANSWER_MS + extraMs })
  return {
    async apply(config) {
      await call('PUT', '/config', parseGatewayConfig(config))
      await storeGatewayConfig(deps, paths, config)
    },
    async status() {
      return (await call('GET', '/status')) as GatewayStatus
    },
    async hold(app, limitMs) {
      await call('POST', '/hold', { app, limitMs })
    },
    async release(app) {
      await call('POST', '/release', { app })
    },
    async drain(app, timeoutMs, streams = false) {
      return ((await call('POST', '/drain', { app, timeoutMs, streams }, timeoutMs)) as { open: number }).open
    },
  }
}

/** Writes the config a gateway starts with. For before its first start; later {@link Gateway.apply} does it. */
export async function storeGatewayConfig(
  deps: Pick<Ports, 'files'>,
  paths: GatewayPaths,
  config: GatewayConfig,
): Promise<void> {
  await deps.files.makeFolder(paths.folder, 0o700)
  await writeJsonDurably(deps.files, paths.configFile, parseGatewayConfig(config))
}

interface ControlCall {
  readonly method: string
  readonly path: string
  readonly value: unknown
  readonly timeoutMs: number
}

async function callControl(
  deps: Pick<Ports, 'network' | 'files'>,
  paths: GatewayPaths,
  { method, path, value, timeoutMs }: ControlCall,
): Promise<unknown> {
  try {
    const response = await deps.network.request({
      method,
      url: `http://gateway${path}`,
      socketPath: paths.controlSocket,
      timeoutMs,
      ...(value === undefined
        ? {}
        : { body: JSON.stringify(value), headers: { 'content-type': 'application/json' } }),
    })
    const answer: unknown = JSON.parse(response.body)
    if (response.status >= 400) throw AppError.fromReport(answer as ErrorReport)
    return answer
  } catch (error) {
    if (isAppError(error)) throw error
    throw (await storedFailure(deps, paths)) ?? unreachable(paths, error)
  }
}

/** The error the gateway ended with, when it could leave one. */
async function storedFailure(deps: Pick<Ports, 'files'>, paths: GatewayPaths): Promise<AppError | undefined> {
  try {
    const text = await deps.files.readText(paths.failureFile)
    return text === undefined ? undefined : AppError.fromReport(JSON.parse(text) as ErrorReport)
  } catch {
    // The file is only a help: damaged or unreadable, the plain error is said instead.
    return undefined
  }
}

function unreachable(paths: GatewayPaths, cause: unknown): AppError {
  return new AppError('GATEWAY_UNREACHABLE', {
    what: 'The gateway was not reached',
    why: `${paths.controlSocket}: ${messageOf(cause)}`,
    next: 'Run "caretaker up"; it starts the gateway again',
    cause,
  })
}
