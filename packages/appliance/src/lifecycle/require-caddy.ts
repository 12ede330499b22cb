import { AppError, isAppError } from '@caretaker/kernel/errors.ts'
import { SECOND_MS } from '@caretaker/kernel/time.ts'
import {
  type CaddyAbility,
  canCaddy,
  neededCaddy,
  parseCaddyVersion,
} from '../gateway/caddy/caddy-version.ts'
import type { Appliance } from './appliance.ts'
import { CADDY_PATH } from './gateway-service.ts'

const VERSION_LIMIT_MS = 30 * SECOND_MS
const INSTALL =
  'install it ("apt install caddy"; caretaker starts it itself: "systemctl disable --now caddy")'
const EMBEDDED = 'or set caretaker.gateway.engine: embedded'

/**
 * Makes sure that Caddy is there and can do what the config asks.
 * @throws AppError COMMAND_NOT_FOUND, GATEWAY_ENGINE_TOO_OLD
 */
export async function requireCaddy({ ports, config }: Pick<Appliance, 'ports' | 'config'>): Promise<void> {
  const version = await installedVersion({ ports })
  requireAbility(version, 'gateway', 'the gateway')
  if (config.gateway.proxy_protocol) requireAbility(version, 'proxyProtocol', 'gateway.proxy_protocol')
}

async function installedVersion({ ports }: Pick<Appliance, 'ports'>): Promise<string> {
  const command = { file: 'caddy', args: ['version'], env: { PATH: CADDY_PATH }, timeoutMs: VERSION_LIMIT_MS }
  const result = await ports.processes.run(command).catch((error: unknown) => {
    if (!isAppError(error, 'COMMAND_NOT_FOUND')) throw error
    throw new AppError('COMMAND_NOT_FOUND', {
      what: 'The gateway does not start',
      why: `caretaker.gateway.engine is "caddy", and Caddy is not installed (looked in ${CADDY_PATH})`,
      next: `As root, ${INSTALL}; ${EMBEDDED}; then "caretaker up"`,
      cause: error,
    })
  })
  const version = parseCaddyVersion(result.stdout)
  if (version !== undefined) return version
  throw new AppError('COMMAND_NOT_FOUND', {
    what: 'The gateway does not start',
    why: `"caddy version" gave no version: ${(result.stderr || result.stdout).trim().slice(0, 200)}`,
    next: `As root, ${INSTALL}; ${EMBEDDED}; then "caretaker up"`,
  })
}

function requireAbility(version: string, ability: CaddyAbility, what: string): void {
  if (canCaddy(version, ability)) return
  throw new AppError('GATEWAY_ENGINE_TOO_OLD', {
    what: 'The gateway does not start',
    why: `${what} needs Caddy ${neededCaddy(ability)} or newer, and this one is ${version}`,
    next: `Install a newer Caddy (package "caddy" of a newer Debian, or from the makers of Caddy), ${EMBEDDED}; then "caretaker up"`,
  })
}
