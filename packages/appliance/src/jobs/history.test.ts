import { MemoryFiles } from '@caretaker/ports/memory-files.ts'
import { describe, expect, it } from 'vitest'
import { appendHistory, historyPath, KEPT_RUNS, readHistory } from './history.ts'
import type { JobRun } from './history-records.ts'

const runOf = (id: number, more: Partial<JobRun> = {}): JobRun => ({
  run: `run-${id}`,
  trigger: 'schedule',
  scheduled_for: new Date(Date.UTC(2026, 0, 1) + id * 60_000).toISOString(),
  due_times: 1,
  started_at: '2026-01-01T00:00:00.000Z',
  ended_at: null,
  duration_ms: null,
  result: 'running',
  exit_code: null,
  reason: null,
  error: null,
  ...more,
})

describe('the history of a job', () => {
  it('holds every record that was acknowledged, after any power cut', async () => {
    const files = new MemoryFiles()
    await files.makeFolder('/state')
    for (let id = 0; id < 5; id += 1) {
      await appendHistory(files, '/state', 'tidy', { type: 'started', run: runOf(id) })
      files.crash()
      expect((await readHistory(files, '/state', 'tidy')).runs.at(-1)).toEqual(runOf(id))
      const ended = runOf(id, { result: 'done', exit_code: 0 })
      await appendHistory(files, '/state', 'tidy', { type: 'ended', run: ended })
      files.crash()
      expect((await readHistory(files, '/state', 'tidy')).runs.at(-1)).toEqual(ended)
    }
    expect((await readHistory(files, '/state', 'tidy')).runs).toHaveLength(5)
  })

  it('goes on after a tail that was torn', async () => {
    const files = new MemoryFiles()
    await files.makeFolder('/state')
    const path = historyPath('/state', 'tidy')
    await appendHistory(files, '/state', 'tidy', { type: 'started', run: runOf(1) })
    await files.append(path, '{"type":"ended","run":{"run":"run-1","res')
    expect((await readHistory(files, '/state', 'tidy')).runs).toEqual([runOf(1)])
    await appendHistory(files, '/state', 'tidy', { type: 'started', run: runOf(2) })
    expect((await readHistory(files, '/state', 'tidy')).runs).toEqual([runOf(1), runOf(2)])
  })

  it('remembers the newest runs only, and since when the schedule counts', async () => {
    const files = new MemoryFiles()
    await files.makeFolder('/state')
    const scheduled = {
      type: 'scheduled',
      at: '2026-01-01T00:00:00Z',
      pattern: '@daily',
      zone: 'UTC',
    } as const
    await appendHistory(files, '/state', 'tidy', scheduled)
    for (let id = 0; id < 1000; id += 1) {
      await appendHistory(files, '/state', 'tidy', { type: 'ended', run: runOf(id, { result: 'done' }) })
    }
    const history = await readHistory(files, '/state', 'tidy')
    expect(history.scheduled).toEqual(scheduled)
    expect(history.runs).toHaveLength(KEPT_RUNS)
    expect(history.runs.at(-1)?.run).toBe('run-999')
    const text = (await files.readText(historyPath('/state', 'tidy'))) ?? ''
    expect(text.split('\n').length).toBeLessThan(4 * KEPT_RUNS)
  })

  it('loses nothing when two write at once', async () => {
    const files = new MemoryFiles()
    await files.makeFolder('/state')
    await Promise.all(
      [1, 2, 3, 4].map((id) => appendHistory(files, '/state', 'tidy', { type: 'started', run: runOf(id) })),
    )
    expect((await readHistory(files, '/state', 'tidy')).runs.map(({ run }) => run)).toEqual([
      'run-1',
      'run-2',
      'run-3',
      'run-4',
    ])
  })
})
