import { openInForceFor } from '../cli/around.ts'
import type { CommandDefinition } from '../cli/definition.ts'
import { oneLine } from '../cli/one-line.ts'
import type { Style } from '../cli/style.ts'
import { wholeNumber } from '../cli/whole-number.ts'

interface LogReport {
  readonly logs: readonly {
    readonly app: string
    readonly service: string
    readonly file: string
    readonly lines: readonly string[]
  }[]
  /** They were written while they came. */
  readonly followed?: true
}

export const logs: CommandDefinition = {
  name: 'logs',
  summary: 'Show the last lines of the logs.',
  arguments: [
    { name: 'app', description: 'an application, or "gateway" or "daemon" (default: all)', optional: true },
    { name: 'service', description: 'one of its services, or "postgres"', optional: true },
  ],
  options: [
    { flags: '--lines <count>', description: 'how many lines of each log', default: '20' },
    { flags: '--follow', description: 'go on with what is added, until Ctrl-C' },
  ],
  examples: [
    ['caretaker logs guestbook', 'all services of guestbook'],
    ['caretaker logs guestbook postgres --lines 100', 'its Postgres'],
    ['caretaker logs daemon', 'the daemon'],
    ['caretaker logs guestbook web --follow', 'what it writes from now on, too'],
  ],
  output: [['logs', 'list', 'app, service, file, lines (oldest first)']],
  runs: 'here',
  async handler(call) {
    const { followLogs, readLogs } = await import('@caretaker/appliance/lifecycle/read-logs.ts')
    const [app, service] = call.arguments
    const lines = String(wholeNumber('--lines', call.options.lines, 1, 100_000))
    const { appliance } = await openInForceFor(call)
    const logs = await readLogs(appliance, { app, service, lines })
    if (call.options.follow !== true || call.options.json === true) return { data: { logs } }
    const write = (line: string, from: { readonly app: string; readonly service: string }) =>
      call.output(`${from.app === '-' ? '' : `${from.app} `}${from.service}: ${oneLine(line)}`, 'stdout')
    for (const log of logs) for (const line of log.lines) write(line, log)
    await followLogs(appliance, logs, write, call.signal)
    return { data: { logs: [], followed: true } }
  },
  render: (data: LogReport, style: Style) => {
    if (data.followed) return ''
    return data.logs.length === 0
      ? 'Nothing has been written yet.'
      : data.logs
          .map(({ app, service, lines }) =>
            [style.bold(`== ${app === '-' ? '' : `${app} `}${service}`), ...lines].join('\n'),
          )
          .join('\n\n')
  },
}
