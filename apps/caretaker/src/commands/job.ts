import type { JobRun } from '@caretaker/appliance/jobs/history-records.ts'
import type { JobLine, JobLog, JobsReport } from '@caretaker/appliance/jobs/job-reports.ts'
import type { ErrorReport } from '@caretaker/kernel/errors.ts'
import { formatDuration } from '@caretaker/kernel/time.ts'
import { openInForceFor } from '../cli/around.ts'
import type { CommandDefinition, FieldDoc } from '../cli/definition.ts'
import type { Style } from '../cli/style.ts'
import { table } from '../cli/table.ts'
import { wholeNumber } from '../cli/whole-number.ts'

const NAME = { name: 'name', description: 'name of the job, from "caretaker job list"' }

const RUN_FIELDS =
  'run (id), trigger (schedule, catch-up or person), scheduled_for, due_times, started_at, ended_at, duration_ms, result (running, done, failed, skipped, timeout, cancelled or interrupted), exit_code, reason, error'

export const jobList: CommandDefinition = {
  name: 'job list',
  summary: 'List the jobs: what runs by itself, when it ran last, and when it runs next.',
  details:
    'Jobs and operations take turns: what is due while another is at work waits. A job for certain hours runs once for each\nof them also when the clock is set forward or back; one that failed makes the appliance degraded until it succeeds.',
  examples: [['caretaker job list', 'every job with its last and next run']],
  output: [
    [
      'jobs',
      'list',
      'job, app (null: of the appliance itself), schedule (cron pattern), time_zone, missed (once or skip), timeout_ms, state (idle, waiting or running), last_result, last_started_at, last_duration_ms, next_run_at',
    ],
    ['lane', 'object', 'state (free or taken), taken_by (pid, user, via, since, purpose, or null)'],
    ['daemon_running', 'boolean', 'whether jobs run by themselves at all'],
  ],
  runs: 'here',
  async handler(call) {
    const { reportJobs } = await import('@caretaker/appliance/jobs/job-reports.ts')
    const { findDaemon } = await import('../daemon/client.ts')
    const { appliance } = await openInForceFor(call)
    const daemon = await findDaemon(call.ports, appliance.folders.run)
    return { data: { ...(await reportJobs(appliance)), daemon_running: daemon !== undefined } }
  },
  render: renderJobs,
}

export const jobRun: CommandDefinition = {
  name: 'job run',
  summary: 'Run a job now, and show what it says.',
  details:
    'The exit code is 0 when it is done, 1 when it failed or does not run in the present state, 11 when something else is\nat work, 130 when it was stopped before it was done.',
  arguments: [NAME],
  examples: [
    ['caretaker job run guestbook.tidy', 'a job of the application guestbook'],
    ['caretaker job run certificates', 'renew the certificates that need it'],
  ],
  output: [
    ['job', 'text', 'its name'],
    ['run', 'object', RUN_FIELDS],
  ],
  runs: 'daemon',
  ballast: 'all',
  async handler(call) {
    const { runJobNow } = await import('@caretaker/appliance/jobs/job-reports.ts')
    const { appliance } = await openInForceFor(call)
    const job = call.arguments[0] ?? ''
    const run = await runJobNow({ ...appliance, actor: call.actor }, job, call.output, call.signal)
    return { data: { job, run }, exitCode: run.result === 'done' ? 0 : isEndedEarly(run) ? 130 : 1 }
  },
  render: ({ job, run }: { job: string; run: JobRun }, style: Style) =>
    run.result === 'done' ? style.good(`${job} is done (${lasted(run)}).`) : '',
  problems: ({ job, run }: { job: string; run: JobRun }) => problemOf(job, run),
}

export const jobStop: CommandDefinition = {
  name: 'job stop',
  summary: 'End the run of a job that is under way.',
  details:
    'Its program gets SIGTERM and, when it does not end within 2 s, SIGKILL; the history tells who stopped it. It is not\nmade up for: it runs again when it is due. The exit code is 0 when the run has ended, 1 when the job does not run, 5\nwhen it does not end.',
  arguments: [NAME],
  examples: [['caretaker job stop guestbook.tidy', 'end it, whoever began it']],
  output: [
    ['job', 'text', 'its name'],
    ['run', 'object', RUN_FIELDS],
  ],
  runs: 'here',
  async handler(call) {
    const { stopJob } = await import('@caretaker/appliance/jobs/stop-job.ts')
    const { appliance } = await openInForceFor(call)
    const job = call.arguments[0] ?? ''
    return { data: { job, run: await stopJob({ ...appliance, actor: call.actor }, job, call.signal) } }
  },
  render: ({ job, run }: { job: string; run: JobRun }, style: Style) =>
    run.result === 'cancelled'
      ? style.good(`${job} was stopped (after ${lasted(run)}).`)
      : `${job} came to its end by itself: ${run.result} (${lasted(run)}).`,
}

export const jobHistory: CommandDefinition = {
  name: 'job history',
  summary: 'List the runs of a job, the newest first, those left out too.',
  arguments: [NAME],
  options: [{ flags: '--limit <count>', description: 'how many; 200 are remembered', default: '20' }],
  examples: [['caretaker job history guestbook.tidy', 'its last 20 runs']],
  output: [
    ['job', 'text', 'its name'],
    ['runs', 'list', RUN_FIELDS],
  ],
  runs: 'here',
  async handler(call) {
    const { reportHistory } = await import('@caretaker/appliance/jobs/job-reports.ts')
    const limit = wholeNumber('--limit', call.options.limit, 1, 100_000)
    const { appliance } = await openInForceFor(call)
    const job = call.arguments[0] ?? ''
    return { data: { job, runs: await reportHistory(appliance, job, limit) } }
  },
  render: renderHistory,
}

export const jobLogs: CommandDefinition = {
  name: 'job logs',
  summary: 'Show what a run of a job said.',
  arguments: [
    NAME,
    { name: 'run', description: 'id of the run, from "job history" (default: the newest)', optional: true },
  ],
  examples: [['caretaker job logs guestbook.tidy', 'its newest run']],
  output: [
    ['job', 'text', 'its name'],
    ['run', 'object', RUN_FIELDS],
    ['file', 'text', 'where the log lies'],
    ['lines', 'list of text', 'what it said, at most 1 MiB: the beginning and the end'],
  ] satisfies readonly FieldDoc[],
  runs: 'here',
  async handler(call) {
    const { readJobLog } = await import('@caretaker/appliance/jobs/job-reports.ts')
    const { appliance } = await openInForceFor(call)
    return { data: await readJobLog(appliance, call.arguments[0] ?? '', call.arguments[1]) }
  },
  render: (log: JobLog, style: Style) =>
    [style.bold(`== ${log.job} ${log.run.run}: ${log.run.result}`), ...log.lines].join('\n'),
}

function renderJobs(
  { jobs, lane, daemon_running }: JobsReport & { readonly daemon_running: boolean },
  style: Style,
): string {
  const rows = jobs.map((job: JobLine) => [
    job.job,
    `${job.schedule} ${job.time_zone}`,
    job.state === 'idle' ? (job.last_result ?? '-') : job.state,
    job.last_started_at ?? '-',
    job.last_duration_ms === null ? '-' : formatDuration(job.last_duration_ms),
    job.next_run_at ?? 'never',
  ])
  return [
    table(style, ['JOB', 'SCHEDULE', 'STATE', 'LAST', 'TOOK', 'NEXT'], rows),
    '',
    lane.taken_by
      ? `At work: ${lane.taken_by.purpose} (pid ${lane.taken_by.pid}, since ${lane.taken_by.since})`
      : 'Nothing is at work.',
    ...(daemon_running ? [] : [style.warn('No daemon runs, so no job runs by itself: "caretaker daemon"')]),
  ].join('\n')
}

function renderHistory({ job, runs }: { job: string; runs: readonly JobRun[] }, style: Style): string {
  if (runs.length === 0) return `No run of ${job} is remembered.`
  const rows = runs.map((run) => [
    run.run,
    run.scheduled_for ?? '-',
    run.trigger,
    run.result,
    lasted(run),
    run.error?.why ?? run.reason ?? '',
  ])
  return table(style, ['RUN', 'DUE', 'BY', 'RESULT', 'TOOK', 'WHY'], rows)
}

const lasted = (run: JobRun) => (run.duration_ms === null ? '-' : formatDuration(run.duration_ms))

const isEndedEarly = ({ result }: JobRun) => result === 'cancelled' || result === 'interrupted'

function problemOf(job: string, { result, reason, error }: JobRun): readonly ErrorReport[] {
  if (result === 'done') return []
  if (error) return [error]
  if (result === 'skipped') {
    return [
      {
        code: 'JOB_SKIPPED',
        what: `The job ${job} was not run`,
        why: reason ?? '',
        next: 'caretaker status',
        exit_code: 1,
      },
    ]
  }
  const code = result === 'cancelled' ? 'JOB_STOPPED' : 'JOB_INTERRUPTED'
  const next = `caretaker job logs ${job}`
  return [{ code, what: `The job ${job} was ended`, why: reason ?? '', next, exit_code: 130 }]
}
