import type { UpReport } from '@caretaker/appliance/lifecycle/up.ts'
import { openInForceFor } from '../cli/around.ts'
import type { CommandDefinition } from '../cli/definition.ts'
import { problemsOf, renderReport } from '../cli/render-report.ts'
import type { Style } from '../cli/style.ts'
import { REPORT } from './report-docs.ts'

export const serviceOn: CommandDefinition = {
  name: 'service on',
  summary: 'Service mode: show a page with the reason instead of the applications.',
  details:
    'The page comes first, then the services are stopped. Postgres stays up for whoever works on the data.',
  arguments: [{ name: 'reason', description: 'what the visitors read' }],
  options: [{ flags: '--until <time>', description: 'planned end: 18:30, or 2026-11-20T18:30:00+01:00' }],
  examples: [
    [
      'caretaker service on "Moving to a new disk" --until 18:30',
      'visitors read the reason and when to come back',
    ],
  ],
  output: REPORT,
  runs: 'daemon',
  ballast: 'all',
  async handler(call) {
    const { parseServiceWish, serviceOn: switchOn } = await import(
      '@caretaker/appliance/lifecycle/manual-service.ts'
    )
    const until = typeof call.options.until === 'string' ? call.options.until : undefined
    const wish = parseServiceWish({ reason: call.arguments[0] ?? '', until }, call.ports.clock.now())
    const { appliance } = await openInForceFor(call)
    const report = await switchOn(appliance, wish, call.emit, call.signal)
    return { data: report, exitCode: report.exit_code }
  },
  render: (data: UpReport, style: Style) =>
    renderReport(data, style, 'Service mode is on. "caretaker service off" ends it.'),
  problems: problemsOf,
}

export const serviceOff: CommandDefinition = {
  name: 'service off',
  summary: 'End service mode and start the applications again.',
  examples: [['caretaker service off', 'serve again']],
  output: REPORT,
  runs: 'daemon',
  ballast: 'all',
  async handler(call) {
    const { serviceOff: switchOff } = await import('@caretaker/appliance/lifecycle/manual-service.ts')
    const { appliance } = await openInForceFor(call)
    const report = await switchOff(appliance, call.emit, call.signal)
    return { data: report, exitCode: report.exit_code }
  },
  render: (data: UpReport, style: Style) => renderReport(data, style, 'Service mode is off.'),
  problems: problemsOf,
}
