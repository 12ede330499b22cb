import type { OperationSummary } from '@caretaker/steps/operations.ts'
import type { Plan } from '@caretaker/steps/plan.ts'
import type { OperationProgress } from '@caretaker/steps/progress.ts'
import type { OperationResult } from '@caretaker/steps/runner.ts'
import { openInForceFor } from '../cli/around.ts'
import { insteadOfUp } from '../cli/change-problems.ts'
import type { Answer, Call, CommandDefinition, FieldDoc } from '../cli/definition.ts'
import { renderError } from '../cli/render-error.ts'
import { problemsOfOperation } from '../cli/render-report.ts'
import type { Style } from '../cli/style.ts'
import { table } from '../cli/table.ts'
import { wholeNumber } from '../cli/whole-number.ts'

export const operationList: CommandDefinition = {
  name: 'operation list',
  summary: 'List what was done on this appliance, the newest first.',
  options: [{ flags: '--limit <count>', description: 'how many', default: '20' }],
  examples: [['caretaker operation list', 'the last 20 operations']],
  output: [
    [
      'operations',
      'list',
      'operation (id), name, purpose, user, via, started_at, ended_at, state (done, undone, stopped, running, unfinished: interrupted, damaged)',
    ],
  ],
  runs: 'here',
  async handler(call) {
    const { listOperations } = await import('@caretaker/steps/operations.ts')
    const limit = wholeNumber('--limit', call.options.limit, 1, 100_000)
    const { findLockHolder } = await import('@caretaker/steps/operation-lock.ts')
    const { ports, places } = call
    const operations = await listOperations(ports.files, places.stateFolder)
    // What cannot be told is no reason to show nothing.
    const holder = await findLockHolder(ports, places.stateFolder).catch(() => undefined)
    return {
      data: { operations: operations.slice(0, limit).map((entry) => withRunning(entry, holder?.since)) },
    }
  },
  render: (data: { operations: readonly OperationSummary[] }, style: Style) =>
    data.operations.length === 0
      ? 'Nothing was done yet.'
      : table(
          style,
          ['OPERATION', 'STARTED', 'BY', 'STATE', 'PURPOSE'],
          data.operations.map((entry) => [
            entry.operation,
            entry.started_at,
            entry.user,
            entry.state,
            entry.purpose,
          ]),
        ),
}

/** What was begun under the lock that is held now is under way, and not interrupted. `since`: of that lock. */
export function withRunning(
  entry: OperationSummary,
  since: string | undefined,
): Omit<OperationSummary, 'state'> & { readonly state: OperationSummary['state'] | 'running' } {
  const isRunning =
    entry.state === 'unfinished' && since !== undefined && Date.parse(entry.started_at) >= Date.parse(since)
  return isRunning ? { ...entry, state: 'running' } : entry
}

interface Shown {
  readonly operation: string
  readonly state: string
  readonly purpose: string
  readonly errors: OperationResult['errors']
  readonly steps: readonly { readonly id: string; readonly state: string; readonly summary: string }[]
}

export const operationShow: CommandDefinition = {
  name: 'operation show',
  summary: 'Show one operation: every step, how it ended, and why.',
  arguments: [{ name: 'id', description: 'id of the operation, from "caretaker operation list"' }],
  examples: [['caretaker operation show 20261120-093012-up-k3fq', 'its steps and errors']],
  output: [
    ['operation', 'text', 'its id'],
    ['state', 'text', 'done, undone, stopped, unfinished'],
    ['purpose', 'text', 'what it was for'],
    ['errors', 'list', 'why it failed: code, what, why, next'],
    ['steps', 'list', 'id, state, summary'],
    ['records', 'list', 'the journal, record by record'],
  ],
  runs: 'here',
  async handler(call) {
    const { showOperation } = await import('@caretaker/steps/operations.ts')
    const id = call.arguments[0] ?? ''
    const shown = await showOperation(call.ports.files, call.places.stateFolder, id)
    const first = shown?.records[0]
    if (!shown || first?.type !== 'planned') throw await unknown(id)
    const { progress, records } = shown
    return {
      data: {
        operation: id,
        state: progress.ended?.outcome ?? 'unfinished',
        purpose: first.plan.purpose,
        errors: errorsOf(first.plan, progress),
        steps: progress.steps.map((entry) => ({
          id: entry.step.id,
          state: entry.state,
          summary: entry.step.summary,
        })),
        records,
      },
    }
  },
  render: (data: Shown, style: Style) =>
    [
      `${style.bold(data.purpose)} (${data.operation}): ${data.state}`,
      table(
        style,
        ['STATE', 'STEP'],
        data.steps.map((step) => [step.state, step.summary]),
      ),
      ...data.errors.map((error) => renderError(error, style)),
    ].join('\n'),
}

/** Why an operation failed: what was taken back is no matter of a start, and not of the way back either. */
export function errorsOf(
  plan: Plan,
  { errors, ended }: Pick<OperationProgress, 'errors' | 'ended'>,
): OperationProgress['errors'] {
  if (plan.onInterruption !== 'go-back' || ended?.outcome !== 'undone') return errors
  const then = 'then repeat the command; this one was taken back, and what ran before serves'
  const isChange = /^(update|rollback)-/.test(plan.name)
  return errors.map((error) => insteadOfUp(error, isChange ? 4 : error.code === 'CANCELLED' ? 130 : 1, then))
}

const RESULT: readonly FieldDoc[] = [
  ['operation', 'text', 'its id'],
  ['outcome', 'text', 'done, undone, stopped or cancelled'],
  ['errors', 'list', 'why it failed: code, what, why, next'],
  ['steps', 'list', 'id, state'],
  ['exit_code', 'number', 'the exit code of the command'],
]

export const operationResume: CommandDefinition = {
  name: 'operation resume',
  summary: 'Go on with an operation that was interrupted or cancelled.',
  arguments: [{ name: 'id', description: 'id of the operation, from "caretaker operation list"' }],
  examples: [['caretaker operation resume 20261120-093012-up-k3fq', 'take the steps that are left']],
  output: RESULT,
  runs: 'daemon',
  handler: (call) => goOn(call, 'resume'),
  render: renderResult,
  problems: problemsOfOperation,
}

export const operationUndo: CommandDefinition = {
  name: 'operation undo',
  summary: 'Take back an operation that was interrupted, cancelled, or stopped half-way.',
  arguments: [{ name: 'id', description: 'id of the operation, from "caretaker operation list"' }],
  examples: [['caretaker operation undo 20261120-093012-up-k3fq', 'undo its steps, the last first']],
  output: RESULT,
  runs: 'daemon',
  ballast: 'all',
  handler: (call) => goOn(call, 'undo'),
  render: renderResult,
  // Why it had failed is no problem any more.
  problems: (data: OperationResult) => (data.exit_code === 0 ? [] : problemsOfOperation(data)),
}

export const operationStop: CommandDefinition = {
  name: 'operation stop',
  summary: 'End the rehearsal, clone, update or way back that is under way, whoever began it.',
  details:
    'As Ctrl-C does where it was begun: a rehearsal and a clone under way are removed, an update that has not come to its\ncommit is taken back. Waits until that is done; then the next command finds nothing in its way. The exit code is 1 when\nnothing is under way, or something that ends by itself.',
  examples: [['caretaker operation stop', 'when something more urgent cannot wait']],
  output: [
    ['purpose', 'text', 'what was under way'],
    ['user', 'text', 'who had begun it'],
    ['via', 'text', 'by what'],
    ['since', 'text', 'when it began'],
  ],
  runs: 'here',
  async handler(call) {
    const { stopOperation } = await import('@caretaker/appliance/lifecycle/stop-operation.ts')
    const { appliance } = await openInForceFor(call)
    const { purpose, user, via, since } = await stopOperation(
      { ...appliance, actor: call.actor },
      call.signal,
    )
    return { data: { purpose, user, via, since } }
  },
  render: ({ purpose }: { purpose: string }, style: Style) =>
    `${style.good(`"${purpose}" has ended.`)} "caretaker operation list" tells how.`,
}

async function goOn(call: Call, wanted: 'resume' | 'undo'): Promise<Answer> {
  const { goOnWith } = await import('@caretaker/appliance/lifecycle/go-on.ts')
  const { appliance } = await openInForceFor(call)
  const result = await goOnWith(appliance, call.arguments[0] ?? '', wanted, call.emit, call.signal)
  // Taking back what a person asked to take back is a success.
  const exitCode = wanted === 'undo' && result.outcome === 'undone' ? 0 : result.exit_code
  return { data: { ...result, exit_code: exitCode }, exitCode }
}

function renderResult(data: OperationResult): string {
  return `${data.operation}: ${data.outcome}`
}

async function unknown(id: string): Promise<Error> {
  const { AppError } = await import('@caretaker/kernel/errors.ts')
  return new AppError('OPERATION_UNKNOWN', {
    what: `The operation "${id}" was not found`,
    why: 'the state folder holds no journal of it',
    next: 'Run "caretaker operation list" for the ids',
  })
}
