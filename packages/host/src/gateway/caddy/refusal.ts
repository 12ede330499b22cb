import { createServer } from 'node:net'
import type { Endpoint } from '@caretaker/appliance/gateway/gateway-config.ts'
import { AppError, isAppError, messageOf } from '@caretaker/kernel/errors.ts'
import type { WantedEntrance } from '../entrance.ts'
import { describeListenError } from '../listen-error.ts'

/**
 * Tries the ports that Caddy does not hold yet. Caddy shares a port with any other Caddy of the same user
 * (SO_REUSEPORT), so that it cannot be relied on to notice.
 * @throws AppError PORT_IN_USE, NO_PERMISSION, GATEWAY_START_FAILED
 */
export async function requireFree(wanted: WantedEntrance, held: readonly number[]): Promise<void> {
  for (const endpoint of endpointsOf(wanted)) {
    if (!held.includes(endpoint.port)) await tryToListen(endpoint)
  }
}

/** Why Caddy did not take what it was given. */
export async function describeRefusal(error: unknown, wanted: WantedEntrance): Promise<AppError> {
  if (isAppError(error)) return error
  const words = messageOf(error)
  for (const endpoint of endpointsOf(wanted)) {
    if (!words.includes(`:${endpoint.port}: bind: `)) continue
    const code = /address already in use/.test(words)
      ? 'EADDRINUSE'
      : /permission denied/.test(words)
        ? 'EACCES'
        : 'EADDRNOTAVAIL'
    return await describeListenError(Object.assign(new Error(words), { code }), endpoint)
  }
  return new AppError('GATEWAY_CONFIG_REFUSED', {
    what: 'Caddy did not take the config of the gateway',
    why: words,
    next: 'Look at "caretaker logs caddy"; the config before is in force',
    cause: error,
  })
}

function endpointsOf({ https, http }: WantedEntrance): readonly Endpoint[] {
  return http ? [https, http] : [https]
}

async function tryToListen(endpoint: Endpoint): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(endpoint.port, endpoint.host, () => server.close(() => resolve()))
  }).catch(async (error: unknown) => {
    throw await describeListenError(error, endpoint)
  })
}
