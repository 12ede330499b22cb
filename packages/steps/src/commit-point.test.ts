import { AppError } from '@caretaker/kernel/errors.ts'
import { SECOND_MS } from '@caretaker/kernel/time.ts'
import { expect, it, test } from 'vitest'
import { listOperations, resumeInterrupted } from './operations.ts'
import { DAEMON_STOPS, MAX_CRASHES, resumeOperation, runPlan } from './runner.ts'
import { createTestBed, quiet, type Remains, TestBed } from './test-bed.ts'
import { TRY_AGAIN_AFTER_MS } from './travel.ts'

const OLD = { a: 'old a', b: 'old b' }
const STEPS = [
  ['set', 'a'],
  ['set', 'b'],
  ['point', 'c'],
  ['set', 'd'],
] as const

const fails = () => {
  throw new AppError('COMMAND_FAILED', { what: 'it failed', why: 'it was told to', next: 'look' })
}

/** Lets the pauses of a run go by. */
async function whileTimePasses<T>({ clock }: TestBed, running: Promise<T>): Promise<T> {
  for (let isOver = false; !isOver; await clock.advance(SECOND_MS))
    isOver = await Promise.race([
      running.then(() => true),
      new Promise<boolean>((resolve) => setImmediate(() => resolve(false))),
    ])
  return running
}

/** What a power cut leaves that comes when the call is entered. */
async function killedAt(call: string): Promise<Remains> {
  const bed = await createTestBed(OLD)
  let remains: Remains | undefined
  bed.hooks.set(call, () => {
    remains ??= bed.remains()
    return undefined
  })
  await runPlan(bed.runner, bed.planGoingBack(...STEPS), quiet())
  if (!remains) throw new Error(`${call} was not entered`)
  return remains
}

test('what fails before the point is taken back, what fails after it stops there', async () => {
  const before = await createTestBed(OLD)
  before.hooks.set('apply c', fails)
  const undone = await runPlan(before.runner, before.planGoingBack(...STEPS), quiet())
  expect(undone).toMatchObject({ outcome: 'undone', exit_code: 4 })
  expect(before.world()).toEqual(OLD)

  const after = await createTestBed(OLD)
  after.hooks.set('apply d', fails)
  const stopped = await whileTimePasses(after, runPlan(after.runner, after.planGoingBack(...STEPS), quiet()))
  expect(stopped).toMatchObject({ outcome: 'stopped', exit_code: 3, errors: [{ code: 'COMMAND_FAILED' }] })
  expect(after.world()).toEqual({ a: 'new a', b: 'new b', c: 'new c' })
})

test('what fails on the way back, or after the point, is tried again for a while', async () => {
  const failsTimes = (count: number) => {
    let left = count
    return () => (left-- > 0 ? fails() : undefined)
  }
  const before = await createTestBed(OLD)
  before.hooks.set('apply c', fails)
  before.hooks.set('undo a', failsTimes(TRY_AGAIN_AFTER_MS.length))
  const goingBack = runPlan(before.runner, before.planGoingBack(...STEPS), quiet())
  expect(await whileTimePasses(before, goingBack)).toMatchObject({ outcome: 'undone', exit_code: 4 })
  expect(before.world()).toEqual(OLD)

  const after = await createTestBed(OLD)
  after.hooks.set('apply d', failsTimes(TRY_AGAIN_AFTER_MS.length))
  const going = runPlan(after.runner, after.planGoingBack(...STEPS), quiet())
  expect(await whileTimePasses(after, going)).toMatchObject({ outcome: 'done', exit_code: 0, errors: [] })

  const never = await createTestBed(OLD)
  never.hooks.set('apply c', fails)
  never.hooks.set('undo a', failsTimes(TRY_AGAIN_AFTER_MS.length + 1))
  const stopping = runPlan(never.runner, never.planGoingBack(...STEPS), quiet())
  expect(await whileTimePasses(never, stopping)).toMatchObject({ outcome: 'stopped', exit_code: 5 })
})

test('a point that took effect although it failed counts as passed', async () => {
  const bed = await createTestBed(OLD)
  bed.hooks.set('apply c', () => {
    bed.values.set('c', 'new c')
    return fails()
  })
  const result = await runPlan(bed.runner, bed.planGoingBack(...STEPS), quiet())
  expect(result).toMatchObject({ outcome: 'done', exit_code: 0, errors: [] })
})

test.each(['apply a', 'apply b', 'apply c'])(
  'killed in "%s" it is taken back by the next start',
  async (call) => {
    const bed = new TestBed(await killedAt(call))
    const [result] = await resumeInterrupted(bed.runner, quiet())
    expect(result).toMatchObject({
      outcome: 'undone',
      exit_code: 4,
      errors: [{ code: 'OPERATION_INTERRUPTED' }],
    })
    expect(bed.world()).toEqual(OLD)
  },
)

test('killed when the point had taken effect, or later, it is finished by the next start', async () => {
  const remains = await killedAt('apply d')
  const bed = new TestBed(remains)
  const [result] = await resumeInterrupted(bed.runner, quiet())
  expect(result).toMatchObject({ outcome: 'done', errors: [] })
  expect(bed.world()).toEqual({ a: 'new a', b: 'new b', c: 'new c', d: 'new d' })

  const torn = await killedAt('apply c')
  const other = new TestBed({ ...torn, values: new Map([...torn.values, ['c', 'new c']]) })
  expect(await resumeInterrupted(other.runner, quiet())).toMatchObject([{ outcome: 'done' }])
})

test.each([
  ['a person', undefined, 'Ctrl-C'],
  ['another person', { user: 'eve', command: 'stop it' }, 'eve asked for it: "stop it"'],
  ['a stopping daemon', DAEMON_STOPS, 'the daemon stops'],
])(
  'cancelled by %s before the point it is taken back at once, after it finished',
  async (_who, reason, why) => {
    const bed = await createTestBed(OLD)
    const early = new AbortController()
    bed.hooks.set('apply a', () => {
      early.abort(reason)
      // As "throwIfAborted" does, or as a command that was ended by the signal.
      throw (
        reason ??
        new AppError('CANCELLED', { what: 'a command ended', why: 'a signal', next: 'resume or undo it' })
      )
    })
    const undone = await runPlan(bed.runner, bed.planGoingBack(...STEPS), early.signal)
    expect(undone).toMatchObject({ outcome: 'undone', exit_code: 4 })
    expect(undone.errors).toMatchObject([
      {
        code: 'CANCELLED',
        what: '"set the values" was cancelled and is taken back',
        why: expect.stringContaining(why),
        next: expect.not.stringContaining('resume'),
      },
    ])
    expect(bed.world()).toEqual(OLD)

    const second = await createTestBed(OLD)
    const late = new AbortController()
    second.hooks.set('apply c', () => {
      late.abort(reason)
      return undefined
    })
    expect(await runPlan(second.runner, second.planGoingBack(...STEPS), late.signal)).toMatchObject({
      outcome: 'done',
      exit_code: 0,
    })
  },
)

it('does not loop on a way back that kills: it ends stopped, and a person can try again', async () => {
  let remains = await killedAt('apply c')
  for (let crash = 0; crash <= MAX_CRASHES; crash += 1) {
    const bed = new TestBed(remains)
    let died: Remains | undefined
    bed.hooks.set('undo b', () => {
      died ??= bed.remains()
      return undefined
    })
    await resumeInterrupted(bed.runner, quiet())
    if (!died) {
      const [operation] = await listOperations(bed.files, bed.runner.stateFolder)
      expect(operation).toMatchObject({ state: 'stopped' })
      bed.hooks.clear()
      const again = await resumeOperation(bed.runner, operation?.operation ?? '', 'undo', quiet())
      expect(again).toMatchObject({ outcome: 'undone' })
      expect(bed.world()).toEqual(OLD)
      return
    }
    remains = died
  }
  throw new Error('it was tried again and again')
})
