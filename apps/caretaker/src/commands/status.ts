import type { AppLine } from '@caretaker/appliance/lifecycle/status.ts'
import { formatBytes } from '@caretaker/kernel/units.ts'
import { openInForceFor, surroundingOf } from '../cli/around.ts'
import type { CommandDefinition } from '../cli/definition.ts'
import { oneLine } from '../cli/one-line.ts'
import type { StateReport } from '../cli/report-state.ts'
import type { Style } from '../cli/style.ts'
import { table } from '../cli/table.ts'

export const status: CommandDefinition = {
  name: 'status',
  summary: 'Say what state the appliance is in, why, and what to type next.',
  details:
    'Exit code: 0 running, or stopped because somebody wants it so; 3 degraded; otherwise the code of the reason.',
  examples: [
    ['caretaker status', 'the state, the applications, the space'],
    ['caretaker status --json', 'the same for a program'],
  ],
  output: [
    [
      'state',
      'text',
      'running, degraded, starting, updating, standby, manual-service, failed, stopped, no-storage, wrong-storage, unconfigured, recovering, recovery-failed',
    ],
    ['code', 'text', 'stable code of the reason; OK when there is none'],
    ['what', 'text', 'what failed, in one sentence: all that visitors read'],
    ['reason', 'text', 'what, and why'],
    ['next', 'text', 'what to type next'],
    ['since', 'instant or null', 'since when'],
    ['until', 'instant or null', 'planned end'],
    ['serving', 'boolean', 'whether applications are served, or the service page is'],
    ['parts', 'list', 'parts that do not work: part, code, what, reason, next, since'],
    [
      'appliance',
      'object',
      'id, domain, config_file, state_folder, config_changed (edited and not in force yet); the first three null while unconfigured',
    ],
    ['daemon', 'object', 'running, pid'],
    ['gateway', 'object', 'running, pid, address'],
    [
      'apps',
      'list',
      'app, version, release, url, state, clone (of, isolated, expires_at; or null), notice (that it went back by itself, and why; or null), services (service, state, pid, since)',
    ],
    ['certificates', 'list', 'as "cert list" tells them, but shown is always null: nobody is asked'],
    [
      'storage',
      'object or null',
      'backend, folder, instant_snapshots, total_bytes, available_bytes, reserve_bytes, metadata_available_bytes (null where the file system has no such limit)',
    ],
    [
      'locked_by',
      'object or null',
      'the operation under way: pid, user, via, since, purpose, stop (the command that ends it early, where there is one)',
    ],
    ['unfinished_operations', 'list', 'operations that were interrupted; "up" finishes them'],
    ['exit_code', 'number', 'the exit code of the command'],
  ],
  runs: 'here',
  async handler(call) {
    const { findDaemon } = await import('../daemon/client.ts')
    const { reportState } = await import('../cli/report-state.ts')
    const { runFolder } = await import('@caretaker/appliance/lifecycle/folders.ts')
    const run = runFolder(call.places.stateFolder, call.ports.machine.user().uid)
    const daemon = await findDaemon(call.ports, run)
    const report = await reportState(surroundingOf(call), () => openInForceFor(call), daemon?.pid)
    return { data: report, exitCode: report.exit_code }
  },
  render: renderStatus,
}

function renderStatus(report: StateReport, style: Style): string {
  const colour = report.state === 'running' ? style.good : report.serving ? style.warn : style.bad
  const head = [
    `${style.bold(report.appliance.domain ?? 'caretaker')}: ${colour(report.state)}${report.reason === '' ? '' : ` — ${oneLine(report.reason)}`}`,
    ...(report.until === null ? [] : [`  planned end: ${report.until}`]),
    ...(report.next === '' ? [] : [`  next: ${oneLine(report.next)}`]),
  ]
  // The first part that does not work is the reason of the whole.
  const parts = report.parts.filter((part) => !report.reason.endsWith(part.reason))
  const more = parts.map(
    (part) => `  ${style.warn(part.part)}: ${oneLine(part.reason)}\n    next: ${oneLine(part.next)}`,
  )
  const rows = report.apps.flatMap((app) => [
    [app.app, app.version ?? '-', app.state, app.url],
    ...(app.clone ? [cloneLine(app.clone)] : []),
    ...app.services.map((service) => [
      `  ${service.service}`,
      '',
      service.state,
      service.pid === undefined ? '' : `pid ${service.pid}`,
    ]),
  ])
  const notices = report.apps.flatMap(({ app, notice }) =>
    notice === null ? [] : [`  ${style.warn(app)}: ${oneLine(notice)}`],
  )
  const apps =
    report.state === 'unconfigured'
      ? []
      : report.apps.length === 0
        ? ['No applications. Add one: caretaker app add NAME SOURCE']
        : [table(style, ['APPLICATION', 'VERSION', 'STATE', 'ADDRESS'], rows)]
  const { storage } = report
  return [
    ...head,
    ...more,
    ...notices,
    '',
    ...(apps.length === 0 ? [] : [...apps, '']),
    `gateway  ${report.gateway.running ? `on ${report.gateway.address}, pid ${report.gateway.pid}` : 'not running'}`,
    `daemon   ${report.daemon.running ? `pid ${report.daemon.pid}` : 'not running'}`,
    ...certificateLines(report.certificates, style),
    ...(storage
      ? [
          `data     ${storage.folder} (${storage.backend}), ${formatBytes(storage.available_bytes)} of ${formatBytes(storage.total_bytes)} free`,
        ]
      : []),
    `config   ${report.appliance.config_file ?? 'none'}`,
    ...(report.appliance.config_changed
      ? [style.warn('         was changed and is not in force yet: "caretaker up" puts it in force')]
      : []),
    ...(report.locked_by
      ? [
          `now      ${oneLine(report.locked_by.purpose)} (pid ${report.locked_by.pid}, since ${report.locked_by.since})`,
        ]
      : []),
    ...report.unfinished_operations.map((operation) =>
      style.warn(`unfinished: ${operation}; "caretaker up" ${howItEnds(operation)}`),
    ),
  ].join('\n')
}

function cloneLine({ of, isolated, expires_at }: NonNullable<AppLine['clone']>): readonly string[] {
  const outside = isolated ? '' : ', can reach the outside'
  return [`  a clone of ${of}`, '', '', `until ${expires_at}${outside}`]
}

/** One line for each certificate from elsewhere, and for hosts that have none although they should. */
function certificateLines(lines: StateReport['certificates'], style: Style): readonly string[] {
  return lines
    .filter(({ source, certificate }) => source !== 'own-ca' || certificate !== null)
    .map(({ host, source, issuer, days_left, next_try_at, certificate }) => {
      const text = `tls      ${host}: ${source === 'own-ca' ? 'own authority for now' : issuer}, ${days_left} days left`
      const next = next_try_at === null ? '' : `, next try ${next_try_at}`
      return source === 'own-ca' && certificate !== null ? style.warn(`${text}${next}`) : `${text}${next}`
    })
}

/** What the next start does with an interrupted operation: a change of a release is not finished by itself. */
const howItEnds = (operation: string) =>
  /^\d+-\d+-(update|rollback|prepare|rehearse)-/.test(operation)
    ? 'takes it back unless it was committed'
    : 'goes on with it'
