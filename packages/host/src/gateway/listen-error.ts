import type { Endpoint } from '@caretaker/appliance/gateway/gateway-config.ts'
import { AppError, messageOf } from '@caretaker/kernel/errors.ts'
import { findPortHolder } from './port-holder.ts'

/** Why nothing can listen there, with the program in the way when it can be seen. */
export async function describeListenError(error: unknown, wanted: Endpoint): Promise<AppError> {
  const place = `${wanted.host} port ${wanted.port}`
  const code: unknown = (error as NodeJS.ErrnoException).code
  switch (code) {
    case 'EADDRINUSE': {
      const holder = await findPortHolder(wanted.port)
      const who = holder ? `"${holder.program}" (pid ${holder.pid})` : 'another program'
      return new AppError('PORT_IN_USE', {
        what: `The gateway cannot listen on ${place}`,
        why: `the port is taken by ${who}`,
        next:
          holder?.program === 'caddy'
            ? 'End that Caddy ("systemctl disable --now caddy" for the service of the package), or set another port in the config; then run "caretaker up"'
            : 'End that program, or set another port in the config; then run "caretaker up"',
        cause: error,
      })
    }
    case 'EACCES':
      return new AppError('NO_PERMISSION', {
        what: `The gateway cannot listen on ${place}`,
        why: 'this user may not open ports of this range',
        next: 'Set a port above 1023 in the config, or run as root; then run "caretaker up"',
        cause: error,
      })
    default:
      return new AppError('GATEWAY_START_FAILED', {
        what: `The gateway cannot listen on ${place}`,
        why: messageOf(error),
        next: 'Set an address of this machine in the config ("ip address" lists them); then run "caretaker up"',
        cause: error,
      })
  }
}
