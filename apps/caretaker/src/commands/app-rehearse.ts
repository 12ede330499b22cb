import type { AppUpdate } from '@caretaker/appliance/lifecycle/app-updates.ts'
import type { RehearsalReport } from '@caretaker/appliance/lifecycle/rehearse.ts'
import { formatDuration } from '@caretaker/kernel/time.ts'
import type { Preview } from '@caretaker/steps/preview.ts'
import { openFor } from '../cli/around.ts'
import { problemsOfChange } from '../cli/change-problems.ts'
import type { CommandDefinition } from '../cli/definition.ts'
import { duration } from '../cli/duration.ts'
import { renderPreviews } from '../cli/render-report.ts'
import type { Style } from '../cli/style.ts'
import { table } from '../cli/table.ts'
import { DRY_RUN, PLAN } from './report-docs.ts'

/** The fields of a verdict, for the documents that hold one. */
export const REHEARSAL =
  'id, at, from, to, settings (tells what the config said of it), from_version, to_version, verdict (good or bad), failed (step, summary, error; or null), migrates, steps (step, summary, state, duration_ms), migration_ms, duration_ms, watched_ms, isolated, operation, user, via'

type ReportOrPlan = RehearsalReport & { plan?: readonly Preview[] }

export const appRehearse: CommandDefinition = {
  name: 'app rehearse',
  summary:
    'Try an update on a clone: build, migrate, start and test the release there, and record the verdict.',
  details:
    'The application goes on serving, and nothing of it is changed. The clone cannot reach the outside and is removed at the\nend. A good verdict lets "app update" go on without another rehearsal for 7 days, from and to exactly these releases.',
  arguments: [{ name: 'name', description: 'name of the application in the config' }],
  options: [
    {
      flags: '--to <version>',
      description: 'tag, branch or commit of a git source; elsewhere the version it must hold',
    },
    {
      flags: '--watch <time>',
      description: 'how long all services must stay healthy after the tests',
      default: '30s',
    },
    { flags: '--allow-outside', description: 'rehearse although the clone could reach the outside' },
    DRY_RUN,
  ],
  examples: [
    ['caretaker app rehearse guestbook', 'what its source holds now, on the data of now'],
    ['caretaker app rehearse wiki --to v1.5.0 --watch 10m', 'a tag, watched for ten minutes'],
  ],
  output: [
    ['nothing_to_do', 'boolean', 'it runs that release already'],
    ['app', 'text', 'its name'],
    ['from', 'text', 'version that runs'],
    ['to', 'text', 'version that was rehearsed'],
    ['rehearsal', 'object or null', `the verdict: ${REHEARSAL}; null when it came to none`],
    ['update_ready', 'object or null', 'what may be updated without another rehearsal: from, to, until'],
    ['logs', 'text or null', 'folder with what was said: steps.txt, and a file for each service'],
    ['operations', 'list', 'what was done: operation, outcome, errors, steps (id, state), exit_code'],
    ['errors', 'list', 'what went wrong: code, what, why, next, exit_code'],
    ['again', 'text', 'the command that rehearses it again'],
    ['update', 'text', 'the command that updates to it'],
    ['exit_code', 'number', '0 good, 1 bad, else why it came to no verdict'],
  ],
  dryRunOutput: PLAN,
  runs: 'daemon',
  async handler(call) {
    const { previewRehearsal, rehearseApp } = await import('@caretaker/appliance/lifecycle/rehearse.ts')
    const { to, watch, allowOutside, dryRun } = call.options
    const options = {
      app: call.arguments[0] ?? '',
      to: typeof to === 'string' ? to : undefined,
      watchMs: duration('--watch', watch),
      allowOutside: allowOutside === true,
    }
    const opened = await openFor(call)
    if (dryRun === true) return { data: { plan: await previewRehearsal(opened, options, call.signal) } }
    const report = await rehearseApp(opened, options, call.emit, call.signal)
    return { data: report, exitCode: report.exit_code }
  },
  render: (data: ReportOrPlan, style: Style) =>
    data.plan ? renderPreviews(data.plan, style) : renderRehearsal(data, style),
  problems: problemsOfChange,
}

function renderRehearsal(report: RehearsalReport, style: Style) {
  const { nothing_to_do, app, from, to, rehearsal, logs, update } = report
  if (nothing_to_do) return `Nothing to do: ${app} runs ${to}.`
  if (!rehearsal) return ''
  const rows = rehearsal.steps.map(({ summary, state, duration_ms }) => [
    summary,
    state === 'applied' ? 'done' : 'failed',
    formatDuration(duration_ms),
  ])
  const migration =
    rehearsal.migration_ms === null
      ? rehearsal.migrates === false
        ? ' It migrates nothing.'
        : ''
      : ` Its migration took ${formatDuration(rehearsal.migration_ms)}.`
  const verdict =
    rehearsal.verdict === 'good'
      ? `${style.good(`Good: ${app} can go from ${from} to ${to}.`)}${migration}\nUpdate it: ${update}`
      : style.bad(`Bad: ${app} stays at ${from}.`)
  return [table(style, ['STEP', 'STATE', 'TOOK'], rows), '', verdict, style.dim(`Logs: ${logs}`)].join('\n')
}

export const appUpdates: CommandDefinition = {
  name: 'app updates',
  summary: 'List what the source of each application holds now, and whether an update to it is ready.',
  details:
    'The sources are asked; nothing is built. "ready": its rehearsal was good and is newer than 7 days. "refused": it was bad, or the\nrelease was taken back before.',
  examples: [['caretaker app updates', 'every application']],
  output: [
    [
      'updates',
      'list',
      'app, state (up-to-date, available, ready, refused or unknown), runs, holds (versions), release, since, why, next, rehearsal',
    ],
    ['config_changed', 'boolean', 'the config was edited and is not in force yet: an update waits for "up"'],
  ],
  runs: 'daemon',
  async handler(call) {
    const { listUpdates } = await import('@caretaker/appliance/lifecycle/app-updates.ts')
    const { appliance, isChanged } = await openFor(call)
    return { data: { updates: await listUpdates(appliance, call.signal), config_changed: isChanged } }
  },
  render: (data: { updates: readonly AppUpdate[]; config_changed: boolean }, style: Style) =>
    [
      ...(data.config_changed
        ? [style.warn('The config was changed and is not in force yet: an update waits for "caretaker up".')]
        : []),
      renderUpdates(data.updates, style),
    ].join('\n'),
}

function renderUpdates(updates: readonly AppUpdate[], style: Style): string {
  return updates.length === 0
    ? 'No applications. Add one: caretaker app add NAME SOURCE'
    : table(
        style,
        ['APP', 'RUNS', 'SOURCE HOLDS', 'STATE', 'SINCE', 'WHY', 'NEXT'],
        updates.map((entry) => [
          entry.app,
          entry.runs ?? '-',
          entry.holds ?? '-',
          entry.state,
          entry.since ?? '-',
          entry.why ?? '-',
          entry.next ?? '-',
        ]),
      )
}
