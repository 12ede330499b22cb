import { join } from 'node:path'
import { DEFAULT_STOP } from '../runtime/defaults.ts'
import { APPLIANCE, type ServiceSpec } from '../runtime/runtime.ts'
import type { Appliance } from './appliance.ts'
import { serviceLog } from './folders.ts'

export const GATEWAY_SERVICE = 'gateway'

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
      programs.main,
      'gateway',
      '--state',
      stateFolder,
      '--socket',
      gatewayPaths.controlSocket,
    ],
    revision: 'embedded',
    cwd: '/',
    env: { PATH: '/usr/bin:/bin', HOME: folders.state, NODE_OPTIONS: '' },
    owner: undefined,
    logFile: serviceLog(folders, APPLIANCE, GATEWAY_SERVICE),
    stop: DEFAULT_STOP,
    health: undefined,
    restart: 'always',
  }
}

export function authorityFile(appliance: Appliance): string {
  return join(appliance.folders.certificates, 'ca.crt')
}
