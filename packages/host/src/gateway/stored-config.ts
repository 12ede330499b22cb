import { readFile } from 'node:fs/promises'
import type { Endpoint, GatewayConfig } from '@caretaker/appliance/gateway/gateway-config.ts'
import { parseGatewayConfig } from '@caretaker/appliance/gateway/parse-config.ts'
import { AppError, isAppError, messageOf } from '@caretaker/kernel/errors.ts'

export interface FallbackEndpoints {
  readonly https: Endpoint
  readonly http?: Endpoint | undefined
}

export interface StoredConfig {
  readonly config: GatewayConfig
  /** False: made up, because there is none or it cannot be used. */
  readonly stored: boolean
  readonly problem: AppError | undefined
}

/**
 * The config the appliance left. Without one, or with a damaged one, a config that serves nothing but the
 * service page at the fallback endpoints: the gateway comes up in any case.
 */
export async function readStoredConfig(path: string, fallback: FallbackEndpoints): Promise<StoredConfig> {
  try {
    const config = parseGatewayConfig(JSON.parse(await readFile(path, 'utf8')))
    return { config, stored: true, problem: undefined }
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT'
    return {
      config: serviceOnly(fallback, missing),
      stored: false,
      problem: missing ? undefined : damaged(path, error),
    }
  }
}

function serviceOnly(fallback: FallbackEndpoints, starting: boolean): GatewayConfig {
  return {
    applianceId: 'unknown',
    https: fallback.https,
    http: fallback.http,
    certificates: [],
    routes: [],
    service: {
      code: starting ? 'STARTING' : 'STATE_DAMAGED',
      reason: starting
        ? 'The appliance is starting.'
        : 'The appliance has to put its settings in order before it can serve.',
      since: new Date().toISOString(),
    },
    trustedProxies: [],
  }
}

function damaged(path: string, cause: unknown): AppError {
  return new AppError('STATE_DAMAGED', {
    what: 'The gateway serves nothing but the service page',
    why: `${path}: ${isAppError(cause) ? cause.why : messageOf(cause)}`,
    next: 'Run "caretaker up"; it writes the file anew',
    cause,
  })
}
