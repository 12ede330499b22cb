import type { UpReport } from '@caretaker/appliance/lifecycle/up.ts'
import type { Preview } from '@caretaker/steps/preview.ts'
import { openPresentFor, surroundingOf } from '../cli/around.ts'
import type { CommandDefinition } from '../cli/definition.ts'
import { problemsOf, renderPreviews, renderReport } from '../cli/render-report.ts'
import type { Style } from '../cli/style.ts'
import { DRY_RUN, PLAN, REPORT } from './report-docs.ts'

export const up: CommandDefinition = {
  name: 'up',
  summary: 'Bring the appliance to what its config says; on a running one it changes nothing.',
  details:
    'Starts the gateway with the service page, then storage, Postgres and every application. Interrupted operations are\nfinished first. With FILE, that config is checked, put in place of the present one, and applied.',
  arguments: [{ name: 'file', description: 'a config to put in force', optional: true }],
  options: [
    DRY_RUN,
    {
      flags: '--first-start',
      description: 'take an empty data volume for a beginning although this appliance was started before',
    },
  ],
  examples: [
    ['caretaker up', 'start everything that the config names'],
    ['caretaker up --dry-run', 'see the steps first'],
    ['caretaker up new.yml', 'check new.yml and put it in force'],
  ],
  output: REPORT,
  dryRunOutput: PLAN,
  runs: 'daemon',
  ballast: 'half',
  async handler(call) {
    const file = call.arguments[0]
    const firstStart = call.options.firstStart === true
    const { up: bringUp } = await import('@caretaker/appliance/lifecycle/up.ts')
    const { previewUp } = await import('@caretaker/appliance/lifecycle/preview-up.ts')
    const { putConfigInForce, openCandidate } = await import('@caretaker/appliance/lifecycle/put-config.ts')
    const path =
      file === undefined ? undefined : (await import('node:path')).resolve(call.workingFolder, file)
    const candidate =
      path === undefined
        ? await openPresentFor(call)
        : await openCandidate(surroundingOf(call), path, call.places.configFile)
    if (call.options.dryRun === true) {
      return { data: { plan: await previewUp(candidate.appliance, { firstStart }, call.signal) } }
    }
    const opened = await putConfigInForce(candidate, call.places.configFile)
    const report = await bringUp(opened, { firstStart }, call.emit, call.signal)
    return { data: report, exitCode: report.exit_code }
  },
  render(data: UpReport & { plan?: readonly Preview[] }, style: Style) {
    return data.plan ? renderPreviews(data.plan, style) : renderReport(data, style, 'The appliance is up.')
  },
  problems: problemsOf,
}
