import { type DataLoss, sayLoss } from '@caretaker/appliance/lifecycle/count-data.ts'
import type { AppHistory } from '@caretaker/appliance/lifecycle/show-history.ts'
import type { ChangeReport } from '@caretaker/appliance/lifecycle/update-app.ts'
import { formatDuration } from '@caretaker/kernel/time.ts'
import type { Preview } from '@caretaker/steps/preview.ts'
import { openInForceFor, openToChangeFor } from '../cli/around.ts'
import { problemsOfChange } from '../cli/change-problems.ts'
import type { Call, CommandDefinition, FieldDoc } from '../cli/definition.ts'
import { duration } from '../cli/duration.ts'
import { oneLine } from '../cli/one-line.ts'
import { renderPreviews } from '../cli/render-report.ts'
import type { Style } from '../cli/style.ts'
import { table } from '../cli/table.ts'
import { REHEARSAL } from './app-rehearse.ts'
import { DRY_RUN, PLAN } from './report-docs.ts'

const NAME = { name: 'name', description: 'name of the application in the config' }

const text = (call: Call, option: string) =>
  typeof call.options[option] === 'string' ? (call.options[option] as string) : undefined

const CHANGE: readonly FieldDoc[] = [
  ['nothing_to_do', 'boolean', 'it runs that release already'],
  ['app', 'text', 'its name'],
  ['from', 'text', 'version that ran'],
  ['to', 'text', 'version that was asked for'],
  ['migrates', 'boolean or null', 'whether data is migrated; null where that is not known'],
  ['operations', 'list', 'what was done: operation, outcome, errors, steps (id, state), exit_code'],
  ['errors', 'list', 'what went wrong, first on the way forward, then on the way back'],
  ['again', 'text', 'the command that tries it again'],
  [
    'exit_code',
    'number',
    '0 done, 1 nothing was changed, 4 taken back, 5 neither done nor taken back, 75 no room now',
  ],
]

type ReportOrPlan = ChangeReport & { plan?: readonly Preview[]; loss?: DataLoss | null }

export const appUpdate: CommandDefinition = {
  name: 'app update',
  summary: 'Bring an application to the release that its source holds now.',
  details:
    'The new release is fetched, built and rehearsed on a clone while the old one serves; a bad rehearsal\nrefuses it (exit code 1), a good one of the last 7 days counts. Without a migration nobody notices the\nswitch. With one, requests wait while database and files are snapshotted, migrated and tested; whatever fails before\nthe end, both go back to that snapshot and the old release serves again (exit code 4).',
  arguments: [NAME],
  options: [
    {
      flags: '--to <version>',
      description: 'tag, branch or commit of a git source; elsewhere the version it must hold',
    },
    { flags: '--no-rehearsal <reason>', description: 'do not rehearse it on a clone first, and why' },
    {
      flags: '--watch <time>',
      description: 'how long all services must stay healthy at the end of its rehearsal',
      default: '30s',
    },
    { flags: '--allow-outside', description: 'rehearse it although the clone could reach the outside' },
    {
      flags: '--no-build',
      description: 'with --dry-run: do not build it; whether it migrates is not known then',
    },
    DRY_RUN,
  ],
  examples: [
    ['caretaker app update guestbook --dry-run', 'build it, ask it, and print exactly the steps'],
    ['caretaker app update guestbook', 'to what its source holds now'],
    ['caretaker app update wiki --to v1.5.0', 'to a tag of its git repository'],
  ],
  output: [
    ...CHANGE,
    ['rehearsal', 'object or null', `the verdict that allowed or refused it: ${REHEARSAL}`],
  ],
  dryRunOutput: [
    ...PLAN,
    ['migrates', 'boolean or null', 'whether it would migrate; null where it was not built'],
    [
      'rehearsal',
      'object or null',
      'the newest verdict on these two releases; migration_ms is to be expected',
    ],
  ],
  runs: 'daemon',
  async handler(call) {
    const { previewUpdate, updateApp } = await import('@caretaker/appliance/lifecycle/update-app.ts')
    const opened = await openToChangeFor(call)
    const options = {
      app: call.arguments[0] ?? '',
      to: text(call, 'to'),
      noRehearsal: text(call, 'rehearsal'),
      watchMs: duration('--watch', call.options.watch),
      allowOutside: call.options.allowOutside === true,
    }
    if (call.options.dryRun === true) {
      const build = call.options.build !== false
      return { data: await previewUpdate(opened, { ...options, build }, call.emit, call.signal) }
    }
    const report = await updateApp(opened, options, call.emit, call.signal)
    return { data: report, exitCode: report.exit_code }
  },
  render: (data: ReportOrPlan, style: Style) =>
    data.plan ? `${renderPreviews(data.plan, style)}${expectation(data, style)}` : renderChange(data, style),
  problems: problemsOfChange,
}

/** What the last rehearsal makes one expect. */
function expectation({ plan, migrates, rehearsal }: ReportOrPlan, style: Style): string {
  if (!plan?.length) return ''
  if (!rehearsal) return migrates === false ? '' : `\n${style.dim('It was not rehearsed yet.')}`
  const took =
    rehearsal.migration_ms === null ? '' : `, its migration took ${formatDuration(rehearsal.migration_ms)}`
  return `\nRehearsed ${rehearsal.at}: ${rehearsal.verdict}${took}.`
}

export const appRollback: CommandDefinition = {
  name: 'app rollback',
  summary: 'Bring an application back to the release that ran before.',
  details:
    'Where the last update migrated nothing, the code goes back and the data stays. Where it did, both go back together to\nthe snapshot from before (--with-data): what that loses is counted and said first, and the state of now is kept as a\nsnapshot for 7 days.',
  arguments: [NAME],
  options: [
    { flags: '--with-data', description: 'take database and files back too' },
    {
      flags: '--confirm <name>',
      description: 'the name of the application once more, when data would be lost',
    },
    DRY_RUN,
  ],
  examples: [
    ['caretaker app rollback guestbook', 'the code alone, where that is possible'],
    ['caretaker app rollback guestbook --with-data', 'see first what would be lost'],
  ],
  output: [
    ...CHANGE,
    [
      'loss',
      'object or null',
      'what there was beyond what came back: tables (table, now, before; equal numbers: not the same rows), files (now, before)',
    ],
  ],
  dryRunOutput: [...PLAN, ['loss', 'object or null', 'what would be lost; null where the data stays']],
  runs: 'daemon',
  async handler(call) {
    const { previewRollback, rollbackApp } = await import('@caretaker/appliance/lifecycle/rollback-app.ts')
    const opened = await openToChangeFor(call)
    const options = {
      app: call.arguments[0] ?? '',
      withData: call.options.withData === true,
      confirm: text(call, 'confirm'),
    }
    if (call.options.dryRun === true) return { data: await previewRollback(opened, options, call.signal) }
    const report = await rollbackApp(opened, options, call.emit, call.signal)
    return { data: report, exitCode: report.exit_code }
  },
  render: (data: ReportOrPlan, style: Style) =>
    data.plan
      ? `${renderPreviews(data.plan, style)}${lossLine('Would be gone', data.loss)}`
      : `${renderChange(data, style)}${data.exit_code === 0 ? lossLine('Is gone', data.loss) : ''}`,
  problems: problemsOfChange,
}

/** What going back loses, as a line of its own; nothing where the data stays. */
const lossLine = (verb: string, loss: DataLoss | null | undefined) =>
  loss ? `\n${verb}: ${sayLoss(loss)}.` : ''

export function renderChange(report: ChangeReport, style: Style): string {
  const { app, from, to, exit_code } = report
  if (report.nothing_to_do) return `Nothing to do: ${app} runs ${to}.`
  if (exit_code === 0) return style.good(`${app} runs ${to} (before: ${from}).`)
  if (exit_code === 4) return style.warn(`${app} runs ${from} as before: the change to ${to} was taken back.`)
  return exit_code === 1 || exit_code === 130 ? style.warn(`${app} runs ${from} as before.`) : ''
}

export const appHistory: CommandDefinition = {
  name: 'app history',
  summary: 'List the releases of an application that were put in force, and tries that were taken back.',
  arguments: [NAME],
  examples: [
    ['caretaker app history guestbook', 'who put which release in force, when, and how long it took'],
  ],
  output: [
    ['app', 'text', 'its name'],
    [
      'releases',
      'list',
      'oldest first: id, at, kind (start, update, rollback), release, version, from, pin, compose_hash, lock_hashes, images, migrated, migration_log, snapshot, no_rehearsal (only when a person gave a reason), why (only when it went back by itself), user, via, duration_ms',
    ],
    ['tries', 'list', 'what was not put in force: operation, at, purpose, state, why, user, via'],
  ],
  runs: 'here',
  async handler(call) {
    const { showHistory } = await import('@caretaker/appliance/lifecycle/show-history.ts')
    const { appliance } = await openInForceFor(call)
    return { data: await showHistory(appliance, call.arguments[0] ?? '') }
  },
  render: (data: AppHistory, style: Style) => {
    const rows = [
      ...data.releases.map((entry) => [
        entry.at,
        entry.version,
        entry.kind,
        entry.migrated ? 'migrated' : entry.kind === 'rollback' && entry.snapshot ? 'went back' : '-',
        `${(entry.duration_ms / 1000).toFixed(1)} s`,
        `${entry.user} (${entry.via})`,
        entry.why ?? (entry.no_rehearsal ? `not rehearsed: ${entry.no_rehearsal}` : ''),
      ]),
      ...data.tries.map(({ at, state, user, via, why }) => [
        at,
        '-',
        state,
        '-',
        '-',
        `${user} (${via})`,
        why,
      ]),
    ]
      .toSorted(([a = ''], [b = '']) => (a < b ? -1 : 1))
      .map((row) => row.map((cell, column) => (column === row.length - 1 ? shorten(cell) : cell)))
    return rows.length === 0
      ? `${data.app} has never been put in force.`
      : table(style, ['WHEN', 'VERSION', 'WHAT', 'DATA', 'TOOK', 'BY', 'WHY'], rows)
  },
}

/** Characters of a reason in the table; "operation show" and --json have all of it. */
const REASON_LENGTH = 70

const shorten = (reason: string) => {
  const line = oneLine(reason)
  return line.length <= REASON_LENGTH ? line : `${line.slice(0, REASON_LENGTH - 1)}…`
}
