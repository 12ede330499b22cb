import { join } from 'node:path'
import { DEFAULT_STOP } from '../runtime/defaults.ts'
import { APPLIANCE, type ServiceSpec } from '../runtime/runtime.ts'
import type { Appliance } from './appliance.ts'
import { serviceLog } from './folders.ts'

export const GATEWAY_SERVICE = 'gateway'
export const CADDY_SERVICE = 'caddy'

/**
 * Room for what lives as long as a request, in each half of V8's young generation. With its default, 16 MiB, the gateway
 * held up to 20 MB more under load, and no gain in CPU could be told from noise.
 */
const GATEWAY_YOUNG_MIB = 2

/** For glibc's malloc(3), see mallopt(3): buffers of large bodies go back to the system (seen once: 155 MB after them, not 180). */
const GIVES_MEMORY_BACK = { MALLOC_ARENA_MAX: '2', MALLOC_TRIM_THRESHOLD_: '131072' }

/** Where Caddy is looked for. */
export const CADDY_PATH = '/usr/local/bin:/usr/bin:/bin'

/** The embedded gateway as a service: the same program, in a process of its own that outlives the daemon. */
export function gatewaySpec({
  programs,
  folders,
  gatewayPaths,
  stateFolder,
}: Pick<Appliance, 'programs' | 'folders' | 'gatewayPaths' | 'stateFolder'>): ServiceSpec {
  return {
    app: APPLIANCE,
    service: GATEWAY_SERVICE,
    releaseId: 'embedded',
    command: [
      programs.node,
      `--max-semi-space-size=${GATEWAY_YOUNG_MIB}`,
      programs.main,
      'gateway',
      '--state',
      stateFolder,
      '--socket',
      gatewayPaths.controlSocket,
    ],
    revision: 'embedded',
    cwd: '/',
    env: { PATH: '/usr/bin:/bin', HOME: folders.state, NODE_OPTIONS: '', ...GIVES_MEMORY_BACK },
    owner: undefined,
    logFile: serviceLog(folders, APPLIANCE, GATEWAY_SERVICE),
    stop: DEFAULT_STOP,
    health: undefined,
    restart: 'always',
  }
}

/**
 * Caddy in front of the gateway, as a process of its own. It starts with the last config it took, and asks nobody.
 */
export function caddySpec({
  folders,
  gatewayPaths: { caddy },
}: Pick<Appliance, 'folders' | 'gatewayPaths'>): ServiceSpec {
  return {
    app: APPLIANCE,
    service: CADDY_SERVICE,
    releaseId: 'caddy',
    command: ['caddy', 'run', '--config', caddy.configFile],
    cwd: '/',
    env: {
      PATH: CADDY_PATH,
      HOME: caddy.dataFolder,
      XDG_DATA_HOME: caddy.dataFolder,
      XDG_CONFIG_HOME: caddy.dataFolder,
    },
    owner: undefined,
    logFile: serviceLog(folders, APPLIANCE, CADDY_SERVICE),
    stop: DEFAULT_STOP,
    health: undefined,
    restart: 'always',
  }
}

export function authorityFile(appliance: Appliance): string {
  return join(appliance.folders.certificates, 'ca.crt')
}
