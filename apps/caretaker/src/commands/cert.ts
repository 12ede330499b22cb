import type {
  CertificateLine,
  CertificatesReport,
} from '@caretaker/appliance/lifecycle/certificate-report.ts'
import type { ErrorReport } from '@caretaker/kernel/errors.ts'
import type { OperationResult } from '@caretaker/steps/runner.ts'
import { openInForceFor } from '../cli/around.ts'
import type { CommandDefinition } from '../cli/definition.ts'
import type { Style } from '../cli/style.ts'
import { table } from '../cli/table.ts'

export const certList: CommandDefinition = {
  name: 'cert list',
  summary: 'Show for every host name which certificate visitors are shown, and until when.',
  details:
    'The gateway is asked over TLS as a visitor does. Exit code 3 when something is wrong with a certificate.',
  examples: [['caretaker cert list', 'issuer, days left, and when one is asked for next']],
  output: [
    ['mode', 'text', 'where certificates come from: own-ca, acme or provided'],
    [
      'certificates',
      'list',
      'host, certificate (name for "cert renew", or null), source (own-ca, acme or provided), issuer, not_after, days_left, shown (or null while the gateway does not run), next_try_at (or null), problem (why the last try failed, or null)',
    ],
    ['problem', 'object or null', 'what is wrong on the whole: code, what, why, next, since'],
  ],
  runs: 'here',
  async handler(call) {
    const { reportCertificates } = await import('@caretaker/appliance/lifecycle/certificate-report.ts')
    const { appliance } = await openInForceFor(call)
    const report = await reportCertificates(appliance)
    return { data: report, exitCode: report.problem ? 3 : 0 }
  },
  render: renderList,
  problems: ({ problem }: CertificatesReport) => (problem ? [problem] : []),
}

interface Renewed {
  readonly operations: readonly OperationResult[]
  readonly problem: ErrorReport | null
}

export const certRenew: CommandDefinition = {
  name: 'cert renew',
  summary: 'Get the certificates that are due; with a name or --now also those that are not.',
  details:
    'Takes provided files over again, too. With a name or --now a certificate is asked for although it is good or its last try was\njust now; only a time that the certificate authority itself has named is waited for.',
  arguments: [
    { name: 'name', description: 'this one, now; from "caretaker cert list" (default: all)', optional: true },
  ],
  options: [{ flags: '--now', description: 'do not wait until it is due' }],
  examples: [
    ['caretaker cert renew', 'what is due'],
    ['caretaker cert renew app-shop', 'this one, now'],
    ['caretaker cert renew --now', 'every one, now'],
  ],
  output: [
    ['operations', 'list', 'what was done: operation, outcome, errors, steps (id, state), exit_code'],
    ['problem', 'object or null', 'what is wrong afterwards: code, what, why, next'],
  ],
  runs: 'daemon',
  async handler(call) {
    const { renewCertificates } = await import('@caretaker/appliance/lifecycle/certificate-report.ts')
    const { appliance } = await openInForceFor(call)
    const [name] = call.arguments
    const asked = name === undefined ? (call.options.now === true ? 'all' : undefined) : [name]
    const { operations, failure } = await renewCertificates(appliance, asked, call)
    return { data: { operations, problem: failure ?? null }, exitCode: failure ? 3 : 0 }
  },
  render({ operations, problem }: Renewed, style: Style) {
    if (problem) return ''
    return operations.length === 0 ? 'No certificate is due.' : style.good('The certificates are renewed.')
  },
  problems: ({ problem }: Renewed) => (problem ? [problem] : []),
}

function renderList({ certificates, mode }: CertificatesReport, style: Style): string {
  if (certificates.length === 0) return 'There are no certificates yet: "caretaker up" makes them.'
  const rows = certificates.map((line) => [
    line.host,
    line.source === mode || line.certificate === null ? line.source : style.warn(line.source),
    line.issuer,
    `${line.days_left} days`,
    line.shown === null ? '-' : line.shown ? 'yes' : style.bad('no'),
    line.next_try_at ?? '-',
  ])
  return [
    table(style, ['HOST', 'SOURCE', 'ISSUER', 'LEFT', 'SHOWN', 'NEXT TRY'], rows),
    ...certificates.flatMap((line) => problemLines(line, style)),
  ].join('\n')
}

function problemLines({ host, problem }: CertificateLine, style: Style): readonly string[] {
  return problem ? [`${style.warn(host)}: ${problem.why}`] : []
}
