import { AppError } from '@caretaker/kernel/errors.ts'
import { describe, expect, it } from 'vitest'
import { listOperations, resumeInterrupted, showOperation } from './operations.ts'
import { DAEMON_STOPS, MAX_CRASHES, type OperationResult, resumeOperation, runPlan } from './runner.ts'
import { LET_GO_MS } from './take-step.ts'
import { createTestBed, quiet, type Remains, STATE, TestBed } from './test-bed.ts'

const fails =
  (code: 'COMMAND_FAILED' | 'DATABASE_ABSENT' = 'COMMAND_FAILED') =>
  () => {
    throw new AppError(code, { what: 'it failed', why: `because of ${code}`, next: 'look' })
  }

const statesOf = (result: OperationResult) =>
  Object.fromEntries(result.steps.map((step) => [step.id.split('/')[0], step.state]))
const codesOf = (result: OperationResult) => result.errors.map((error) => error.code)

/** Runs until the hook is entered the first time and gives what a power cut there leaves. */
async function dieIn(bed: TestBed, call: string, run: () => Promise<unknown>): Promise<Remains> {
  let remains: Remains | undefined
  bed.hooks.set(call, () => {
    remains ??= bed.remains()
    return undefined
  })
  await run()
  if (!remains) throw new Error(`${call} was not entered`)
  return remains
}

describe('on the way forward', () => {
  it('takes every step in order and exits with 0', async () => {
    const bed = await createTestBed({ b: 'old b' })
    const result = await runPlan(
      bed.runner,
      bed.plan('undo', ['set', 'a'], ['set', 'b'], ['look', 'c']),
      quiet(),
    )
    expect(result).toMatchObject({ outcome: 'done', exit_code: 0, errors: [] })
    expect(bed.world()).toEqual({ a: 'new a', b: 'new b', c: 'new c' })
    expect(bed.calls).toEqual(['apply a', 'apply b', 'apply c'])
    expect(bed.events.map((event) => event.type)).toEqual([
      'operation-started',
      ...['a', 'b', 'c'].flatMap(() => ['step-started', 'step-applied']),
      'operation-ended',
    ])
  })

  it('leaves alone what is in effect already', async () => {
    const bed = await createTestBed({ a: 'new a' })
    const result = await runPlan(bed.runner, bed.plan('undo', ['set', 'a'], ['set', 'b']), quiet())
    expect(statesOf(result)).toEqual({ a: 'skipped', b: 'applied' })
    expect(bed.calls).toEqual(['apply b'])
  })

  it('writes one line per step and one for the whole into the audit log, durably', async () => {
    const bed = await createTestBed()
    bed.hooks.set('apply b', fails())
    await runPlan(bed.runner, bed.plan('undo', ['set', 'a'], ['set', 'b']), quiet())
    bed.files.crash()
    const lines = (await bed.files.readText(`${STATE}/audit.jsonl`))
      ?.trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines?.map((line) => [line.user, line.step, line.result, line.error])).toEqual([
      ['ada', 'a/set', 'applied', undefined],
      ['ada', 'b/set', 'failed', 'COMMAND_FAILED'],
      ['ada', 'b/set', 'undone', undefined],
      ['ada', 'a/set', 'undone', undefined],
      ['ada', '-', 'undone', 'COMMAND_FAILED'],
    ])
  })
})

describe('after a failure', () => {
  it('takes back what was taken, last first, the failed step included, and exits with 4', async () => {
    const bed = await createTestBed({ a: 'old a' })
    bed.hooks.set('apply c', fails())
    const result = await runPlan(
      bed.runner,
      bed.plan('undo', ['set', 'a'], ['set', 'b'], ['set', 'c'], ['set', 'd']),
      quiet(),
    )
    expect(result).toMatchObject({ outcome: 'undone', exit_code: 4 })
    expect(codesOf(result)).toEqual(['COMMAND_FAILED'])
    expect(statesOf(result)).toEqual({ a: 'undone', b: 'undone', c: 'undone', d: 'not-run' })
    expect(bed.calls.filter((call) => call.startsWith('undo'))).toEqual(['undo c', 'undo b', 'undo a'])
    expect(bed.world()).toEqual({ a: 'old a' })
  })

  it('says the reason of a blocked step and exits with its code when nothing was changed', async () => {
    const bed = await createTestBed({ a: 'blocked' })
    const result = await runPlan(bed.runner, bed.plan('undo', ['set', 'a'], ['set', 'b']), quiet())
    expect(result).toMatchObject({ outcome: 'undone', exit_code: 1 })
    expect(result.errors).toMatchObject([{ code: 'STEP_BLOCKED', why: 'a is blocked', next: 'unblock it' }])
    expect(bed.calls).toEqual([])
  })

  it('stays where it is when the plan says so: 3 when something was changed, 1 when nothing was, 5 when it is not safe', async () => {
    const run = async (name: string, fail: () => never) => {
      const bed = await createTestBed()
      bed.hooks.set(`${name === 'a' ? 'check' : 'apply'} ${name}`, fail)
      const result = await runPlan(bed.runner, bed.plan('stop', ['set', 'a'], ['set', 'b']), quiet())
      expect(bed.calls.filter((call) => call.startsWith('undo'))).toEqual([])
      return [result.outcome, result.exit_code, result.errors.length]
    }
    expect(await run('b', fails())).toEqual(['stopped', 3, 1])
    expect(await run('a', fails())).toEqual(['stopped', 1, 1])
    expect(await run('b', fails('DATABASE_ABSENT'))).toEqual(['stopped', 5, 1])
  })

  it('stops with both reasons and exit code 5 when the way back fails too', async () => {
    const bed = await createTestBed()
    bed.hooks.set('apply c', fails())
    bed.hooks.set('undo b', fails('DATABASE_ABSENT'))
    const result = await runPlan(
      bed.runner,
      bed.plan('undo', ['set', 'a'], ['set', 'b'], ['set', 'c']),
      quiet(),
    )
    expect(result).toMatchObject({ outcome: 'stopped', exit_code: 5 })
    expect(codesOf(result)).toEqual(['COMMAND_FAILED', 'DATABASE_ABSENT'])
    expect(statesOf(result)).toEqual({ a: 'applied', b: 'undo-failed', c: 'undone' })
    const ended = (await showOperation(bed.files, STATE, result.operation))?.progress.ended
    expect(ended?.errors.map((error) => error.code)).toEqual(['COMMAND_FAILED', 'DATABASE_ABSENT'])
  })

  it('goes back as far as the point of no return and stops there', async () => {
    const bed = await createTestBed()
    bed.hooks.set('apply d', fails())
    const plan = bed.plan('undo', ['set', 'a'], ['commit', 'b'], ['set', 'c'], ['set', 'd'])
    const result = await runPlan(bed.runner, plan, quiet())
    expect(result).toMatchObject({ outcome: 'stopped', exit_code: 5 })
    expect(codesOf(result)).toEqual(['COMMAND_FAILED', 'UNDO_IMPOSSIBLE'])
    expect(bed.world()).toEqual({ a: 'new a', b: 'new b' })
  })

  it('goes back all the way when the failure comes before the point of no return', async () => {
    const bed = await createTestBed()
    bed.hooks.set('apply b', fails())
    const result = await runPlan(
      bed.runner,
      bed.plan('undo', ['set', 'a'], ['set', 'b'], ['commit', 'c']),
      quiet(),
    )
    expect(result.outcome).toBe('undone')
    expect(bed.world()).toEqual({})
  })

  it('takes a step that ended well without effect for failed', async () => {
    const bed = await createTestBed()
    bed.hooks.set('apply a', () => 'no-effect')
    const result = await runPlan(bed.runner, bed.plan('undo', ['set', 'a']), quiet())
    expect(result.outcome).toBe('undone')
    expect(codesOf(result)).toEqual(['STEP_NOT_EFFECTIVE'])
  })

  it('undoes a step of a kind it does not know any more? It stops and says both', async () => {
    const bed = await createTestBed()
    const remains = await dieIn(bed, 'apply a', () =>
      runPlan(bed.runner, bed.plan('undo', ['set', 'a']), quiet()),
    )
    const next = new TestBed(remains)
    const [result] = await resumeInterrupted({ ...next.runner, registry: new Map() }, quiet())
    expect(result).toMatchObject({ outcome: 'stopped', exit_code: 5 })
    expect(result && codesOf(result)).toEqual(['STEP_UNKNOWN', 'STEP_UNKNOWN'])
  })

  it('goes on with a whole journal after the disk was full for a moment', async () => {
    const bed = await createTestBed()
    bed.hooks.set('apply a', () => {
      bed.files.fail('sync', 'ENOSPC', `${STATE}/operations`)
      return undefined
    })
    await expect(
      runPlan(bed.runner, bed.plan('undo', ['set', 'a'], ['set', 'b']), quiet()),
    ).rejects.toMatchObject({
      code: 'DISK_FULL',
    })
    bed.files.heal()
    bed.hooks.clear()
    const [operation] = await listOperations(bed.files, STATE)
    const result = await resumeOperation(bed.runner, operation?.operation ?? '', 'undo', quiet())
    expect(result.outcome).toBe('undone')
    expect(bed.world()).toEqual({})
  })
})

describe('a step that takes too long', () => {
  it('is told so, given time to let go, and taken back only then', async () => {
    const bed = await createTestBed()
    let hasLetGo = false
    bed.hooks.set('apply a', async ({ signal }) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      await bed.clock.wait(5_000)
      hasLetGo = true
      throw new Error('told to stop')
    })
    bed.hooks.set('undo a', () => {
      expect(hasLetGo).toBe(true)
      return undefined
    })
    const running = runPlan(bed.runner, bed.plan('undo', ['set', 'a']), quiet())
    await untilStarted(bed)
    await bed.clock.advance(10_000)
    await bed.clock.advance(5_000)
    const result = await running
    expect(result.outcome).toBe('undone')
    expect(result.errors).toMatchObject([{ code: 'STEP_TIMEOUT', why: 'it did not end within 10 s' }])
    expect(hasLetGo).toBe(true)
  })

  it('is not waited for without end when it does not listen', async () => {
    const bed = await createTestBed()
    bed.hooks.set('apply a', () => new Promise(() => undefined))
    const running = runPlan(bed.runner, bed.plan('undo', ['set', 'a']), quiet())
    await untilStarted(bed)
    await bed.clock.advance(10_000)
    await bed.clock.advance(LET_GO_MS)
    expect(codesOf(await running)).toEqual(['STEP_TIMEOUT'])
  })
})

describe('a person who cancels', () => {
  const cancelIn = async (abortError = false, reason?: string) => {
    const bed = await createTestBed({ a: 'old a' })
    const stop = new AbortController()
    bed.hooks.set('apply b', () => {
      stop.abort(reason)
      if (abortError) throw new DOMException('aborted', 'AbortError')
      return undefined
    })
    const result = await runPlan(
      bed.runner,
      bed.plan('undo', ['set', 'a'], ['set', 'b'], ['set', 'c']),
      stop.signal,
    )
    bed.hooks.clear()
    return { bed, result }
  }

  it('finds the operation paused between two steps, exit code 130', async () => {
    const { bed, result } = await cancelIn()
    expect(result).toMatchObject({ outcome: 'cancelled', exit_code: 130, errors: [] })
    expect(bed.world()).toEqual({ a: 'new a', b: 'new b' })
    expect((await listOperations(bed.files, STATE))[0]?.state).toBe('unfinished')
  })

  it('is left the decision: an automatic resume does not touch it', async () => {
    const { bed } = await cancelIn()
    expect(await resumeInterrupted(bed.runner, quiet())).toEqual([])
  })

  it('is not asked when it was the daemon that stopped: the next start goes on, and that is no crash', async () => {
    const { bed, result } = await cancelIn(false, DAEMON_STOPS)
    expect(result.outcome).toBe('cancelled')
    expect(
      (await showOperation(bed.files, STATE, result.operation))?.progress.steps.map((step) => step.crashes),
    ).toEqual([0, 0, 0])
    expect(await resumeInterrupted(bed.runner, quiet())).toMatchObject([{ outcome: 'done', exit_code: 0 }])
  })

  it('can resume it', async () => {
    const { bed, result } = await cancelIn()
    const resumed = await resumeOperation(bed.runner, result.operation, 'resume', quiet())
    expect(resumed).toMatchObject({ outcome: 'done', exit_code: 0 })
    expect(bed.world()).toEqual({ a: 'new a', b: 'new b', c: 'new c' })
  })

  it.each([false, true])(
    'can undo it, also when the step itself was interrupted (%s)',
    async (abortError) => {
      const { bed, result } = await cancelIn(abortError)
      expect(result.outcome).toBe('cancelled')
      const undone = await resumeOperation(bed.runner, result.operation, 'undo', quiet())
      expect(undone.outcome).toBe('undone')
      expect(bed.world()).toEqual({ a: 'old a' })
    },
  )

  it('cannot resume or undo what has ended', async () => {
    const bed = await createTestBed()
    const { operation } = await runPlan(bed.runner, bed.plan('undo', ['set', 'a']), quiet())
    for (const wanted of ['resume', 'undo'] as const) {
      await expect(resumeOperation(bed.runner, operation, wanted, quiet())).rejects.toMatchObject({
        code: 'OPERATION_ENDED',
        exitCode: 2,
      })
    }
    await expect(resumeOperation(bed.runner, 'no-such', 'resume', quiet())).rejects.toMatchObject({
      code: 'OPERATION_UNKNOWN',
    })
  })
})

describe('after a crash', () => {
  it('applies the step again that was under way, and keeps the state before the first try', async () => {
    const bed = await createTestBed()
    const remains = await dieIn(bed, 'apply b', () =>
      runPlan(bed.runner, bed.plan('undo', ['set', 'a'], ['set', 'b'], ['set', 'c']), quiet()),
    )
    const next = new TestBed({ ...remains, values: new Map([...remains.values, ['b', 'half of b']]) })
    next.hooks.set('apply c', fails())
    const [result] = await resumeInterrupted(next.runner, quiet())
    expect(result?.outcome).toBe('undone')
    expect(next.calls).toEqual(['apply b', 'apply c', 'undo c', 'undo b', 'undo a'])
    expect(next.world()).toEqual({})
  })

  it('goes back, not forward again, when the failure is on record', async () => {
    const bed = await createTestBed()
    bed.hooks.set('apply b', fails())
    const remains = await dieIn(bed, 'undo b', () =>
      runPlan(bed.runner, bed.plan('undo', ['set', 'a'], ['set', 'b']), quiet()),
    )
    const next = new TestBed(remains)
    const [result] = await resumeInterrupted(next.runner, quiet())
    expect(result?.outcome).toBe('undone')
    expect(result && codesOf(result)).toEqual(['COMMAND_FAILED'])
    expect(next.calls).toEqual(['undo b', 'undo a'])
  })

  it.each([
    ['apply a', 'undone', ['STEP_KEEPS_CRASHING']],
    ['check b', 'undone', ['STEP_KEEPS_CRASHING']],
    ['undo a', 'stopped', ['COMMAND_FAILED', 'STEP_KEEPS_CRASHING']],
  ] as const)(
    'does not try more than so often what ends the process each time: %s',
    async (call, outcome, codes) => {
      let bed = await createTestBed()
      const breakIt = () => (call === 'undo a' ? bed.hooks.set('apply b', fails()) : undefined)
      breakIt()
      let remains = await dieIn(bed, call, () =>
        runPlan(bed.runner, bed.plan('undo', ['set', 'a'], ['set', 'b']), quiet()),
      )
      for (let crash = 1; crash < MAX_CRASHES; crash += 1) {
        bed = new TestBed(remains)
        breakIt()
        remains = await dieIn(bed, call, () => resumeInterrupted(bed.runner, quiet()))
      }
      bed = new TestBed(remains)
      breakIt()
      const [result] = await resumeInterrupted(bed.runner, quiet())
      expect(result?.outcome).toBe(outcome)
      expect(result && codesOf(result)).toEqual(codes)
      expect(bed.calls).not.toContain(call)
      if (outcome === 'undone') expect(bed.world()).toEqual({})
    },
  )

  it('what stopped can be taken back by a person later, and a crash in that is resumed', async () => {
    const bed = await createTestBed()
    bed.hooks.set('apply b', fails())
    const stopped = await runPlan(bed.runner, bed.plan('stop', ['set', 'a'], ['set', 'b']), quiet())
    expect(stopped.outcome).toBe('stopped')
    const remains = await dieIn(bed, 'undo a', () =>
      resumeOperation(bed.runner, stopped.operation, 'undo', quiet()),
    )
    const next = new TestBed(remains)
    const [result] = await resumeInterrupted(next.runner, quiet())
    expect(result?.outcome).toBe('undone')
    expect(next.world()).toEqual({})
    expect((await listOperations(next.files, STATE))[0]?.state).toBe('undone')
  })
})

/** Lets the runner come to the point where the first apply waits. */
async function untilStarted(bed: TestBed): Promise<void> {
  while (!bed.calls.some((call) => call.startsWith('apply')))
    await new Promise((resolve) => setImmediate(resolve))
}
