import { surroundingOf } from '../cli/around.ts'
import type { CommandDefinition } from '../cli/definition.ts'
import { wholeNumber } from '../cli/whole-number.ts'

export const daemon: CommandDefinition = {
  name: 'daemon',
  summary: 'Run the daemon in the foreground: bring everything up, keep it up, answer the command line.',
  details:
    'One daemon runs on a state folder. SIGTERM or Ctrl-C stops the applications and ends it. Killed, it leaves them\nrunning; the next daemon finds them.',
  options: [
    {
      flags: '--page-port <port>',
      description: 'loopback port of the state page; 0 lets the system choose',
      default: '0',
    },
    {
      flags: '--leave-running',
      description: 'SIGTERM ends the daemon alone; the applications go on, and the next daemon finds them',
    },
  ],
  examples: [
    ['caretaker daemon', 'what npm start runs'],
    ['caretaker daemon --leave-running', 'what the unit of "caretaker install" runs'],
  ],
  output: [],
  runs: 'here',
  async handler(call) {
    const { keepMemorySmall } = await import('@caretaker/host/small-memory.ts')
    keepMemorySmall()
    const { watcherOf } = await import('../daemon/watch-over.ts')
    const { runDaemon } = await import('../daemon/daemon.ts')
    const exitCode = await runDaemon({
      around: { ...surroundingOf(call), actor: { ...call.actor, via: 'daemon' } },
      configFile: call.places.configFile,
      places: call.places,
      pagePort: wholeNumber('--page-port', call.options.pagePort, 0, 65_535),
      leaveRunning: call.options.leaveRunning === true,
      watcher: watcherOf(call),
      signal: call.signal,
    })
    return { data: {}, exitCode }
  },
  render: () => '',
}
