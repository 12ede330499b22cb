import type { CloneLine, CloneReport } from '@caretaker/appliance/lifecycle/clones.ts'
import type { Preview } from '@caretaker/steps/preview.ts'
import { openFor, openInForceFor } from '../cli/around.ts'
import type { CommandDefinition, FieldDoc } from '../cli/definition.ts'
import { duration } from '../cli/duration.ts'
import { problemsOf, renderPreviews } from '../cli/render-report.ts'
import type { Style } from '../cli/style.ts'
import { table } from '../cli/table.ts'
import { DRY_RUN, PLAN } from './report-docs.ts'

type ReportOrPlan = CloneReport & { plan?: readonly Preview[] }

const NAME = { name: 'name', description: 'name of the clone, from "caretaker clone list"' }

const CLONE =
  'clone (its name), app (its origin), release, url, state (making, copied, ready or removing), why (person, rehearsal or ask), isolated, created_at, expires_at'

const REPORT: readonly FieldDoc[] = [
  ['clone', 'object or null', CLONE],
  ['operations', 'list', 'what was done: operation, outcome, errors, steps (id, state), exit_code'],
  ['errors', 'list', 'what went wrong: code, what, why, next, exit_code'],
  ['exit_code', 'number', 'the exit code of the command'],
]

export const appClone: CommandDefinition = {
  name: 'app clone',
  summary: 'Run a copy of an application beside it, with its data of now, until it expires.',
  details:
    'The application goes on serving. The copy has its own Postgres, host name, passwords and secrets, and what the "clone"\nsection of the compose file says: other variables, and SQL that runs before it starts. What fails leaves nothing of it\n(exit code 4).',
  arguments: [{ name: 'app', description: 'name of the application in the config' }],
  options: [
    { flags: '--name <name>', description: 'its name and host name (default: APP-clone-1, or the next)' },
    { flags: '--ttl <time>', description: 'how long it lives, as 90m, 12h or 3d', default: '3d' },
    { flags: '--allow-outside', description: 'make it although it could reach the outside' },
    DRY_RUN,
  ],
  examples: [
    ['caretaker app clone guestbook', 'served at guestbook-clone-1.DOMAIN for three days'],
    ['caretaker app clone guestbook --name training --ttl 14d', 'under another name, for two weeks'],
  ],
  output: REPORT,
  dryRunOutput: PLAN,
  runs: 'daemon',
  async handler(call) {
    const { cloneApp, previewClone } = await import('@caretaker/appliance/lifecycle/clones.ts')
    const { name, ttl, allowOutside, dryRun } = call.options
    const wanted = {
      app: call.arguments[0] ?? '',
      name: typeof name === 'string' ? name : undefined,
      ttlMs: duration('--ttl', ttl),
      allowOutside: allowOutside === true,
    }
    const { appliance } = await openFor(call)
    if (dryRun === true) return { data: { plan: await previewClone(appliance, wanted, call.signal) } }
    const report = await cloneApp(appliance, wanted, call.emit, call.signal)
    return { data: report, exitCode: report.exit_code }
  },
  render: (data: ReportOrPlan, style: Style) => {
    if (data.plan) return renderPreviews(data.plan, style)
    const { clone } = data
    if (data.exit_code !== 0 || !clone) return ''
    const open = clone.isolated ? '' : `\n${style.warn('It can reach the outside.')}`
    return `${style.good(`It is served at ${clone.url} until ${clone.expires_at}.`)}${open}\nEnd it before: caretaker clone remove ${clone.clone}`
  },
  problems: (data: ReportOrPlan) =>
    // What was taken back has the exit code of the command, whatever went wrong.
    problemsOf(data).map((error) => (data.exit_code === 4 ? { ...error, exit_code: 4 } : error)),
}

export const cloneList: CommandDefinition = {
  name: 'clone list',
  summary: 'List the clones: of what, where they are served, when they expire.',
  examples: [['caretaker clone list', 'every clone, the oldest first']],
  output: [['clones', 'list', CLONE]],
  runs: 'here',
  async handler(call) {
    const { reportClones } = await import('@caretaker/appliance/lifecycle/clones.ts')
    const { appliance } = await openInForceFor(call)
    return { data: { clones: await reportClones(appliance) } }
  },
  render: ({ clones }: { clones: readonly CloneLine[] }, style: Style) =>
    clones.length === 0
      ? 'No clones. Make one: caretaker app clone APP'
      : table(
          style,
          ['CLONE', 'OF', 'STATE', 'ADDRESS', 'EXPIRES', 'OUTSIDE'],
          clones.map((line) => [
            line.clone,
            line.app,
            line.state,
            line.url ?? '-',
            line.expires_at,
            line.isolated ? 'cannot be reached' : 'can be reached',
          ]),
        ),
}

export const cloneExtend: CommandDefinition = {
  name: 'clone extend',
  summary: 'Let a clone live longer, or shorter: from now on.',
  arguments: [NAME],
  options: [
    { flags: '--ttl <time>', description: 'how long it lives from now, as 90m, 12h or 3d', default: '3d' },
  ],
  examples: [['caretaker clone extend guestbook-clone-1 --ttl 7d', 'one more week']],
  output: [['clone', 'object', CLONE]],
  runs: 'daemon',
  async handler(call) {
    const { extendClone } = await import('@caretaker/appliance/lifecycle/clones.ts')
    const { appliance } = await openInForceFor(call)
    const ttlMs = duration('--ttl', call.options.ttl)
    return { data: { clone: await extendClone(appliance, call.arguments[0] ?? '', ttlMs) } }
  },
  render: ({ clone }: { clone: CloneLine }, style: Style) =>
    style.good(`${clone.clone} lives until ${clone.expires_at}.`),
}

export const cloneRemove: CommandDefinition = {
  name: 'clone remove',
  summary: 'End a clone and delete all of it.',
  arguments: [NAME],
  options: [DRY_RUN],
  examples: [['caretaker clone remove guestbook-clone-1', 'its origin is not touched']],
  output: REPORT,
  dryRunOutput: PLAN,
  runs: 'daemon',
  ballast: 'all',
  async handler(call) {
    const { previewRemoveClone, removeCloneNow } = await import('@caretaker/appliance/lifecycle/clones.ts')
    const name = call.arguments[0] ?? ''
    const { appliance } = await openInForceFor(call)
    if (call.options.dryRun === true)
      return { data: { plan: await previewRemoveClone(appliance, name, call.signal) } }
    const report = await removeCloneNow(appliance, name, call.emit, call.signal)
    return { data: report, exitCode: report.exit_code }
  },
  render: (data: ReportOrPlan, style: Style) =>
    data.plan ? renderPreviews(data.plan, style) : data.exit_code === 0 ? style.good('It is removed.') : '',
  problems: problemsOf,
}
