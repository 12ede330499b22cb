import type { InstallReport } from '@caretaker/appliance/installation/install.ts'
import type { Plan } from '@caretaker/steps/plan.ts'
import type { Preview } from '@caretaker/steps/preview.ts'
import { surroundingOf } from '../cli/around.ts'
import type { Answer, Call, CommandDefinition, FieldDoc } from '../cli/definition.ts'
import { problemsOf, renderPreviews } from '../cli/render-report.ts'
import type { Style } from '../cli/style.ts'
import { DRY_RUN, PLAN, REPORT } from './report-docs.ts'

type Data = InstallReport & { readonly plan?: readonly Preview[] }

const OUTPUT: readonly FieldDoc[] = [['build', 'text', 'version and content, as 0.1.0-1a2b3c4d'], ...REPORT]

export const install: CommandDefinition = {
  name: 'install',
  summary: 'Make this program a service of the machine, or upgrade the one that is.',
  details:
    'For root on a machine with systemd. Programs go to /opt/caretaker, the command to /usr/local/bin, the config belongs\ninto /etc/caretaker, state and data lie in /var/lib/caretaker. Repeated it changes nothing; of another version it\nswitches over without interrupting what runs, and goes back when that does not start.',
  options: [DRY_RUN],
  examples: [
    ['caretaker install --dry-run', 'see the steps first'],
    ['caretaker install', 'install this version, or upgrade to it'],
  ],
  output: OUTPUT,
  dryRunOutput: PLAN,
  runs: 'here',
  async handler(call) {
    const { planInstall } = await import('@caretaker/appliance/installation/install.ts')
    return carryOut(call, await planInstall(surroundingOf(call)))
  },
  render(data: Data, style: Style) {
    if (data.plan) return renderPreviews(data.plan, style)
    if (data.errors.length > 0) return ''
    if (data.nothing_to_do) return `Nothing to do: caretaker ${data.build} is installed and its daemon runs.`
    return [
      style.good(`Caretaker ${data.build} is installed, and starts with the machine.`),
      '',
      'Next: caretaker config create DOMAIN, then caretaker app add NAME SOURCE; "caretaker status" says how it is',
    ].join('\n')
  },
  problems: problemsOf,
}

export const uninstall: CommandDefinition = {
  name: 'uninstall',
  summary: 'Stop everything and take the program off this machine; config and data stay.',
  details: 'For root. Says what stays and how to remove it. "caretaker install" finds it again.',
  options: [DRY_RUN],
  examples: [
    ['caretaker uninstall --dry-run', 'see the steps first'],
    ['caretaker uninstall', 'stop everything, remove program and units'],
  ],
  output: OUTPUT,
  dryRunOutput: PLAN,
  runs: 'here',
  async handler(call) {
    const { planUninstall } = await import('@caretaker/appliance/installation/install.ts')
    return carryOut(call, await planUninstall(surroundingOf(call)))
  },
  render(data: Data, style: Style) {
    if (data.plan) return renderPreviews(data.plan, style)
    if (data.errors.length > 0) return ''
    const done = data.nothing_to_do
      ? 'Nothing to do: caretaker is not installed.'
      : 'Caretaker is uninstalled.'
    return [style.good(done), '', ...STAYS].join('\n')
  },
  problems: problemsOf,
}

const STAYS = [
  'What stays, and how to remove it for good:',
  '  config with all keys    rm -r /etc/caretaker',
  '  state and data          rm -r /var/lib/caretaker   (and the volumes that the config names, if it names others)',
  '  the service user        userdel caretaker',
  '  settings you have made  rm -rf /etc/default/caretaker /etc/systemd/system/caretaker.service.d',
]

async function carryOut(call: Call, plan: Plan): Promise<Answer> {
  const { previewInstallation, runInstallation } = await import(
    '@caretaker/appliance/installation/install.ts'
  )
  const around = surroundingOf(call)
  if (call.options.dryRun === true) {
    return { data: { plan: [await previewInstallation(around, plan, call.signal)] } }
  }
  const report = await runInstallation(around, plan, call.emit, call.signal)
  return { data: report, exitCode: report.exit_code }
}
