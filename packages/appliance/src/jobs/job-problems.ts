import { toAppError } from '@caretaker/kernel/errors.ts'
import type { Appliance } from '../lifecycle/appliance.ts'
import type { PartProblem } from '../lifecycle/appliance-state.ts'
import { readHistory } from './history.ts'
import type { JobRun } from './history-records.ts'
import { listJobs } from './known-jobs.ts'

/**
 * The jobs that failed and have not succeeded since, as parts that do not work. Runs that were skipped or interrupted
 * say nothing about whether a job works.
 */
export async function jobProblems(appliance: Appliance): Promise<readonly PartProblem[]> {
  const { files, clock } = appliance.ports
  const problems = (await listJobs(appliance)).map(async ({ name }): Promise<readonly PartProblem[]> => {
    let runs: readonly JobRun[]
    try {
      runs = (await readHistory(files, appliance.stateFolder, name)).runs
    } catch (error) {
      const { code, what, why, next } = toAppError(error)
      if (code !== 'STATE_DAMAGED') throw error
      return [
        { part: `job ${name}`, code, reason: `${what}: ${why}`, next, since: clock.now().toISOString() },
      ]
    }
    const { first, last } = failuresInARow(runs)
    // Whether space is short is seen at every look; what the job saw some time ago adds nothing.
    if (!first || !last?.error || last.error.code === 'STORAGE_SPACE') return []
    const { code, what, why, next } = last.error
    return [
      {
        part: `job ${name}`,
        code,
        what,
        reason: `${what}: ${why}`,
        next,
        since: first.ended_at ?? first.run,
      },
    ]
  })
  return (await Promise.all(problems)).flat()
}

/** The failures since the last success, when the job failed the last time it came to an end. */
function failuresInARow(runs: readonly JobRun[]): {
  readonly first: JobRun | undefined
  readonly last: JobRun | undefined
} {
  const ended = runs.filter(({ result }) => result === 'done' || result === 'failed' || result === 'timeout')
  const failed = ended.slice(ended.findLastIndex((run) => run.result === 'done') + 1)
  return { first: failed[0], last: failed.at(-1) }
}
