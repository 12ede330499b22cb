import type { UpReport } from '@caretaker/appliance/lifecycle/up.ts'
import type { Preview } from '@caretaker/steps/preview.ts'
import { openFor } from '../cli/around.ts'
import type { CommandDefinition } from '../cli/definition.ts'
import { renderPreviews, renderReport } from '../cli/render-report.ts'
import type { Style } from '../cli/style.ts'

export const down: CommandDefinition = {
  name: 'down',
  summary: 'Stop the applications, their Postgres and the gateway; they stay stopped until "up".',
  options: [{ flags: '--dry-run', description: 'print the steps that would be taken, and take none' }],
  examples: [['caretaker down', 'stop everything; the data stays where it is']],
  output: [
    ['nothing_to_do', 'boolean', 'nothing was running'],
    ['operations', 'list', 'what was done: operation, outcome, errors, steps, exit_code'],
    ['errors', 'list', 'what did not stop: code, what, why, next, exit_code'],
    ['exit_code', 'number', 'the exit code of the command'],
    ['plan', 'list', 'only with --dry-run: the plans with their steps (id, summary, way_back, state)'],
  ],
  runs: 'daemon',
  async handler(call) {
    const { down: stopAll, previewDown } = await import('@caretaker/appliance/lifecycle/down.ts')
    const { appliance } = await openFor(call)
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
}
