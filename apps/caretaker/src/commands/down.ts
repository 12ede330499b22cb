import type { UpReport } from '@caretaker/appliance/lifecycle/up.ts'
import type { Preview } from '@caretaker/steps/preview.ts'
import { openInForceFor } from '../cli/around.ts'
import type { CommandDefinition } from '../cli/definition.ts'
import { problemsOf, renderPreviews, renderReport } from '../cli/render-report.ts'
import type { Style } from '../cli/style.ts'
import { DRY_RUN, PLAN, REPORT } from './report-docs.ts'

export const down: CommandDefinition = {
  name: 'down',
  summary: 'Stop the applications, their Postgres and the gateway; they stay stopped until "up".',
  options: [DRY_RUN],
  examples: [['caretaker down', 'stop everything; the data stays where it is']],
  output: REPORT,
  dryRunOutput: PLAN,
  runs: 'daemon',
  ballast: 'all',
  async handler(call) {
    const { down: stopAll, previewDown } = await import('@caretaker/appliance/lifecycle/down.ts')
    const { appliance } = await openInForceFor(call)
    if (call.options.dryRun === true) return { data: { plan: await previewDown(appliance, call.signal) } }
    const report = await stopAll(appliance, { remember: true }, call.emit, call.signal)
    return { data: report, exitCode: report.exit_code }
  },
  render(data: UpReport & { plan?: readonly Preview[] }, style: Style) {
    if (data.plan) return renderPreviews(data.plan, style)
    return data.nothing_to_do
      ? 'Nothing to do: nothing was running.'
      : renderReport(data, style, 'Everything is stopped.')
  },
  problems: problemsOf,
}
