import type { AppReport } from '@caretaker/appliance/lifecycle/show-app.ts'
import type { AppLine } from '@caretaker/appliance/lifecycle/status.ts'
import type { UpReport } from '@caretaker/appliance/lifecycle/up.ts'
import type { Preview } from '@caretaker/steps/preview.ts'
import { openFor, openInForceFor, openToChangeFor } from '../cli/around.ts'
import type { Call, CommandDefinition } from '../cli/definition.ts'
import { oneLine } from '../cli/one-line.ts'
import { problemsOf, renderPreviews, renderReport } from '../cli/render-report.ts'
import type { Style } from '../cli/style.ts'
import { table } from '../cli/table.ts'
import { logs } from './logs.ts'
import { DRY_RUN, PLAN, REPORT } from './report-docs.ts'

type ReportOrPlan = UpReport & { plan?: readonly Preview[] }

const NAME = { name: 'name', description: 'name of the application in the config' }

const text = (call: Call, option: string) =>
  typeof call.options[option] === 'string' ? (call.options[option] as string) : undefined

export const appAdd: CommandDefinition = {
  name: 'app add',
  summary: 'Add an application to the config and start it.',
  details:
    'SOURCE is a folder or an archive with a compose file, or a git URL (with "#ref" or "#ref:folder"). The plan pins it to\na commit or a checksum. Secrets that the compose file declares are generated.',
  arguments: [NAME, { name: 'source', description: 'folder, archive (.tar, .tar.gz, .tgz) or git URL' }],
  options: [
    { flags: '--ref <ref>', description: 'branch, tag or commit of a git URL' },
    { flags: '--host <names>', description: 'host names, separated by commas (default: NAME.DOMAIN)' },
    { flags: '--set <pairs>', description: 'variables of the compose file, as TITLE=Home,LANG=de' },
    DRY_RUN,
  ],
  examples: [
    ['caretaker app add guestbook ./examples/guestbook', 'from a folder'],
    [
      'caretaker app add wiki https://git.example.org/wiki.git --ref v1.4.0',
      'from a tag of a git repository',
    ],
    ['caretaker app add guestbook ./examples/guestbook --dry-run', 'see the steps first'],
  ],
  output: REPORT,
  dryRunOutput: PLAN,
  runs: 'daemon',
  async handler(call) {
    const { addApp, checkNewName, previewAddApp } = await import('@caretaker/appliance/lifecycle/apps.ts')
    const [name = '', source = ''] = call.arguments
    checkNewName(name)
    const wanted = {
      name,
      source,
      ref: text(call, 'ref'),
      hosts: text(call, 'host')
        ?.split(',')
        .map((host) => host.trim()),
      environment: await parsePairs(text(call, 'set')),
      workingFolder: call.workingFolder,
    }
    const opened = await openToChangeFor(call)
    if (call.options.dryRun === true)
      return { data: { plan: await previewAddApp(opened, wanted, call.signal) } }
    const report = await addApp(opened, wanted, call.emit, call.signal)
    return { data: report, exitCode: report.exit_code }
  },
  render: (data: ReportOrPlan, style: Style) =>
    data.plan
      ? renderPreviews(data.plan, style)
      : renderReport(data, style, 'It is served. "caretaker status" shows where.'),
  problems: problemsOf,
}

export const appList: CommandDefinition = {
  name: 'app list',
  summary: 'List the applications.',
  examples: [['caretaker app list', 'name, version, state and address of each']],
  output: [
    [
      'apps',
      'list',
      'app, version, release, url, state, clone (of, isolated, expires_at; or null), services (service, state, pid, since)',
    ],
  ],
  runs: 'here',
  async handler(call) {
    const { listApps } = await import('@caretaker/appliance/lifecycle/status.ts')
    const { appliance } = await openInForceFor(call)
    return { data: { apps: await listApps(appliance) } }
  },
  render: (data: { apps: readonly AppLine[] }, style: Style) =>
    data.apps.length === 0
      ? 'No applications. Add one: caretaker app add NAME SOURCE'
      : table(
          style,
          ['APPLICATION', 'VERSION', 'STATE', 'ADDRESS'],
          data.apps.map((app) => [app.app, app.version ?? '-', app.state, app.url]),
        ),
}

export const appShow: CommandDefinition = {
  name: 'app show',
  summary: 'Show one application: its releases, services, volumes, commands and jobs.',
  arguments: [NAME],
  examples: [['caretaker app show guestbook', 'everything about guestbook']],
  output: [
    ['app', 'text', 'its name'],
    ['url', 'text', 'where it is served'],
    ['source', 'text', 'folder, archive or git URL of the config'],
    ['release', 'object or null', 'the release that runs: version, release, pin, built_at, built_by'],
    ['releases', 'list of text', 'releases prepared on this machine, the newest first'],
    ['services', 'list', 'service, state, pid, since'],
    ['volumes', 'list', 'name, kind (data or volatile), folder'],
    ['commands', 'list of text', 'shortcuts for "app exec"'],
    ['jobs', 'list', 'name, schedule, missed'],
    ['snapshots', 'list', 'name, created_at, size_bytes, state, kept_until (instant or null)'],
    ['notices', 'list of text', 'what a person should know about its compose file'],
  ],
  runs: 'here',
  async handler(call) {
    const { showApp } = await import('@caretaker/appliance/lifecycle/show-app.ts')
    const { appliance } = await openInForceFor(call)
    const shown = await showApp(appliance, call.arguments[0] ?? '')
    const { release } = shown
    return { data: { ...shown, release: release && describeRelease(release) } }
  },
  render: (data: Record<string, unknown>, style: Style) =>
    Object.entries(data)
      .map(([key, value]) => `${style.dim(key.padEnd(10))} ${inWords(value)}`)
      .join('\n'),
}

/** A value for a person: an object by its fields, the entries of a list one below the other. */
function inWords(value: unknown): string {
  if (value === null || value === undefined) return '-'
  if (typeof value !== 'object') return oneLine(`${value as string | number | boolean}`)
  if (!Array.isArray(value))
    return Object.entries(value)
      .flatMap(([key, of]) => (of === null ? [] : [`${key} ${inWords(of)}`]))
      .join(', ')
  return value.length === 0 ? '-' : value.map(inWords).join(`\n${' '.repeat(11)}`)
}

export const appRemove: CommandDefinition = {
  name: 'app remove',
  summary: 'Stop an application and take it out of the config; its data stays.',
  arguments: [NAME],
  options: [
    { flags: '--data', description: 'delete its database, files and snapshots too' },
    { flags: '--confirm <name>', description: 'the name of the application once more, needed with --data' },
    DRY_RUN,
  ],
  examples: [
    ['caretaker app remove guestbook', 'the data stays on the data volume; "app add" finds it again'],
    ['caretaker app remove guestbook --data --confirm guestbook', 'delete everything of it'],
  ],
  output: REPORT,
  dryRunOutput: PLAN,
  runs: 'daemon',
  ballast: 'all',
  async handler(call) {
    const { previewRemoveApp, removeApp } = await import('@caretaker/appliance/lifecycle/apps.ts')
    const opened = await openToChangeFor(call)
    const options = {
      name: call.arguments[0] ?? '',
      data: call.options.data === true,
      confirm: text(call, 'confirm'),
    }
    if (call.options.dryRun === true)
      return { data: { plan: await previewRemoveApp(opened, options, call.signal) } }
    const report = await removeApp(opened, options, call.emit, call.signal)
    return { data: report, exitCode: report.exit_code }
  },
  render: (data: ReportOrPlan, style: Style) =>
    data.plan ? renderPreviews(data.plan, style) : renderReport(data, style, 'It is removed.'),
  problems: problemsOf,
}

export const appLogs: CommandDefinition = {
  ...logs,
  name: 'app logs',
  summary: 'Show the last lines of the logs of an application.',
  arguments: [NAME, { name: 'service', description: 'one of its services, or "postgres"', optional: true }],
  examples: [['caretaker app logs guestbook web', 'the last 20 lines of its web service']],
}

export const appExec: CommandDefinition = {
  name: 'app exec',
  summary: 'Run a program or a shortcut of an application, with its environment and folders.',
  details:
    'Options of the program stand after "--". What it writes is passed on as it comes. The exit code of caretaker is 0, or 1\nwhen the program failed.',
  arguments: [
    NAME,
    { name: 'command', description: 'program and arguments, or a shortcut', variadic: true, optional: true },
  ],
  options: [{ flags: '--service <name>', description: 'whose environment (default: the web service)' }],
  examples: [
    ['caretaker app exec guestbook count', 'a shortcut that its compose file defines'],
    ['caretaker app exec guestbook -- node --version', 'any program'],
  ],
  output: [
    ['exit_code', 'number or null', 'how the program ended; null when a signal ended it'],
    ['stdout', 'text', 'what it wrote, the last 1 MiB'],
    ['stderr', 'text', 'what it complained about, the last 1 MiB'],
    ['duration_ms', 'number', 'how long it took'],
  ],
  runs: 'daemon',
  async handler(call) {
    const { execInApp } = await import('@caretaker/appliance/lifecycle/app-exec.ts')
    const { appliance } = await openInForceFor(call)
    const [app = '', ...command] = call.arguments
    const result = await execInApp(
      appliance,
      { app, service: text(call, 'service'), command },
      call.output,
      call.signal,
    )
    const { stdout, stderr, durationMs } = result
    return {
      data: { exit_code: result.exitCode ?? null, stdout, stderr, duration_ms: durationMs },
      exitCode: result.exitCode === 0 ? 0 : 1,
    }
  },
  // Its output was passed on while it ran.
  render: () => '',
  problems: (data: { exit_code: number | null }) =>
    data.exit_code === 0
      ? []
      : [
          {
            code: 'APP_COMMAND_FAILED',
            what: 'The command did not succeed',
            why: data.exit_code === null ? 'a signal ended it' : `it ended with ${data.exit_code}`,
            next: 'Look at what it wrote above, and at "caretaker app logs NAME"',
            exit_code: 1,
          },
        ],
}

export const appRestart: CommandDefinition = {
  name: 'app restart',
  summary: 'Stop the services of an application and start them again.',
  arguments: [NAME],
  examples: [['caretaker app restart guestbook', 'Postgres stays up meanwhile']],
  output: REPORT,
  runs: 'daemon',
  ballast: 'all',
  async handler(call) {
    const { restartApp } = await import('@caretaker/appliance/lifecycle/apps.ts')
    const report = await restartApp(await openFor(call), call.arguments[0] ?? '', call.emit, call.signal)
    return { data: report, exitCode: report.exit_code }
  },
  render: (data: UpReport, style: Style) => renderReport(data, style, 'It was restarted.'),
  problems: problemsOf,
}

export const appRotatePassword: CommandDefinition = {
  name: 'app rotate-password',
  summary: 'Give the database role of an application a new password, and restart its services with it.',
  arguments: [NAME],
  examples: [['caretaker app rotate-password guestbook', 'after the old one may have been seen']],
  output: REPORT,
  runs: 'daemon',
  async handler(call) {
    const { rotateAppPassword } = await import('@caretaker/appliance/lifecycle/rotate-password.ts')
    const { appliance } = await openFor(call)
    const report = await rotateAppPassword(appliance, call.arguments[0] ?? '', call.emit, call.signal)
    return { data: report, exitCode: report.exit_code }
  },
  render: (data: UpReport, style: Style) => renderReport(data, style, 'The password is new.'),
  problems: problemsOf,
}

function describeRelease(release: NonNullable<AppReport['release']>) {
  const { version, releaseId, pin, builtAt, builtBy } = release
  return { version, release: releaseId, pin, built_at: builtAt, built_by: builtBy }
}

async function parsePairs(pairs: string | undefined): Promise<Readonly<Record<string, string>>> {
  if (pairs === undefined) return {}
  const entries = pairs.split(',').map((pair) => {
    const cut = pair.indexOf('=')
    return cut < 1 ? undefined : ([pair.slice(0, cut).trim(), pair.slice(cut + 1)] as const)
  })
  if (entries.every((entry) => entry !== undefined)) return Object.fromEntries(entries)
  const { AppError } = await import('@caretaker/kernel/errors.ts')
  throw new AppError('USAGE', {
    what: 'The application was not added',
    why: `--set wants NAME=VALUE pairs, not "${pairs}"`,
    next: 'Write --set TITLE=Home,LANG=de; values with commas go into the config file',
  })
}
