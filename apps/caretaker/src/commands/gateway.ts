import { dirname } from 'node:path'
import type { CommandDefinition } from '../cli/definition.ts'

/** The gateway process; started by the appliance, not by people. */
export const gateway: CommandDefinition = {
  name: 'gateway',
  summary: 'Run the embedded gateway (the appliance starts it by itself).',
  options: [{ flags: '--socket <path>', description: 'its control socket' }],
  examples: [['caretaker gateway --state /var/lib/caretaker', 'run it in the foreground']],
  output: [],
  runs: 'here',
  hidden: true,
  async handler(call) {
    const { gatewayPaths } = await import('@caretaker/appliance/gateway/gateway.ts')
    const { runFolder } = await import('@caretaker/appliance/lifecycle/folders.ts')
    const { runGateway } = await import('@caretaker/host/gateway/gateway.ts')
    const { uid } = call.ports.machine.user()
    const run =
      typeof call.options.socket === 'string'
        ? dirname(call.options.socket)
        : runFolder(call.places.stateFolder, uid)
    const running = await runGateway({
      paths: gatewayPaths(call.places.stateFolder, run),
      fallback: fallbackEndpoints(uid),
      log: (line) => call.output(line, 'stderr'),
    })
    await new Promise<void>((resolve) => {
      if (call.signal.aborted) resolve()
      call.signal.addEventListener('abort', () => resolve())
    })
    await running.close()
    return { data: {} }
  },
  render: () => '',
}

/** Without a config: where people look first; ports that an ordinary user may take otherwise. */
export function fallbackEndpoints(uid: number) {
  return uid === 0
    ? { http: { host: '0.0.0.0', port: 80 }, https: { host: '0.0.0.0', port: 443 } }
    : { http: { host: '127.0.0.1', port: 8080 }, https: { host: '127.0.0.1', port: 8443 } }
}
