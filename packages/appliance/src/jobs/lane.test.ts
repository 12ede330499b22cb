import { AppError, toAppError } from '@caretaker/kernel/errors.ts'
import { withOperationLock } from '@caretaker/steps/operation-lock.ts'
import { describe, expect, it } from 'vitest'
import { historyPath } from './history.ts'
import { JobLane } from './lane.ts'
import { runJob } from './run-job.ts'
import { heldJob, JobBed, STATE, settle } from './testing.fixture.ts'

const PERSON = { trigger: 'person', scheduledFor: undefined, dueTimes: 0 } as const

describe('a job', () => {
  it('runs when it is due, and not because it is new', async () => {
    const tidy = heldJob('shop.tidy')
    const bed = await new JobBed('2026-06-01T01:28:00Z', [tidy]).open()
    await bed.pass(1)
    expect(tidy.begun).toBe(0)
    await bed.pass(2)
    expect(await bed.told(tidy)).toEqual(['2026-06-01T01:30 running schedule'])
    tidy.end()
    await settle()
    const [run] = await bed.runs(tidy)
    expect(run).toMatchObject({ result: 'done', exit_code: 0, due_times: 1, error: null })
    await bed.pass(30)
    expect(tidy.begun).toBe(1)
  })

  it('that sees something to do runs out of turn, once, and its schedule goes on', async () => {
    let isWanted = false
    const tidy = heldJob('shop.tidy', { wakes: async () => isWanted })
    const bed = await new JobBed('2026-06-01T00:00:00Z', [tidy]).open()
    await bed.pass(5)
    expect(tidy.begun).toBe(0)
    isWanted = true
    await bed.pass(1)
    expect(tidy.begun).toBe(1)
    isWanted = false
    tidy.end()
    await bed.pass(2)
    expect(tidy.begun).toBe(1)
    await bed.pass(83)
    expect((await bed.told(tidy)).at(-1)).toBe('2026-06-01T01:30 running schedule')
  })

  it('that is due while it still runs is left out, and that is said', async () => {
    const often = heldJob('shop.often', { schedule: { pattern: '*/5 * * * *', zone: 'UTC' } })
    const bed = await new JobBed('2026-06-01T00:04:00Z', [often]).open()
    await bed.pass(12)
    expect(often.begun).toBe(1)
    expect(await bed.told(often)).toEqual([
      '2026-06-01T00:05 running schedule',
      '2026-06-01T00:10 skipped schedule',
      '2026-06-01T00:15 skipped schedule',
    ])
    expect((await bed.runs(often))[1]?.reason).toBe('it was still running')
    often.end()
    await bed.pass(5)
    expect(often.begun).toBe(2)
  })

  it('that takes too long is ended, and the next runs', async () => {
    const slow = heldJob('shop.slow', { timeoutMs: 10 * 60_000 })
    const bed = await new JobBed('2026-06-01T01:29:00Z', [slow]).open()
    await bed.pass(12)
    const [run] = await bed.runs(slow)
    expect(run).toMatchObject({ result: 'timeout', error: { code: 'JOB_TIMEOUT' } })
    expect(run?.error?.why).toBe('it did not finish within 10 min')
    expect(run?.duration_ms).toBe(600_000)
  })

  it('that must not run now is left out, and why is said', async () => {
    const tidy = heldJob('shop.tidy', { refusal: async () => 'the appliance was stopped' })
    const bed = await new JobBed('2026-06-01T01:29:00Z', [tidy]).open()
    await bed.pass(2)
    expect(tidy.begun).toBe(0)
    expect((await bed.runs(tidy))[0]).toMatchObject({
      result: 'skipped',
      reason: 'the appliance was stopped',
    })
  })

  it('with another schedule is not caught up for times it had not then', async () => {
    const tidy = heldJob('shop.tidy')
    const bed = await new JobBed('2026-06-01T12:00:00Z', [tidy]).open()
    const noon = heldJob('shop.tidy', { schedule: { pattern: '0 9 * * *', zone: 'UTC' } })
    bed.jobs = [noon]
    await bed.pass(3)
    expect(noon.begun + tidy.begun).toBe(0)
  })
})

describe('the lane', () => {
  it('goes on with the other jobs when the history of one is no file, and says that', async () => {
    const [broken, tidy] = [heldJob('shop.broken'), heldJob('shop.tidy')]
    const bed = await new JobBed('2026-06-01T01:28:00Z', [broken, tidy]).open()
    const failed: unknown[] = []
    bed.lane = new JobLane({
      ended: async () => undefined,
      failed: async (job, error) => void failed.push([job, toAppError(error).code]),
    })
    await bed.files.remove(historyPath(STATE, 'shop.broken'))
    await bed.files.makeFolder(historyPath(STATE, 'shop.broken'))
    await bed.pass(3)
    expect([broken.begun, tidy.begun]).toEqual([0, 1])
    expect(failed).toEqual([['shop.broken', 'STATE_DAMAGED']])
  })

  it('takes jobs one by one in the order in which they are due', async () => {
    const first = heldJob('z.first')
    const second = heldJob('a.second', { schedule: { pattern: '31 3 * * *', zone: 'Europe/Vienna' } })
    const third = heldJob('b.third', { schedule: { pattern: '31 3 * * *', zone: 'Europe/Vienna' } })
    const bed = await new JobBed('2026-06-01T01:29:00Z', [third, second, first]).open()
    await bed.pass(10)
    expect([first.begun, second.begun, third.begun]).toEqual([1, 0, 0])
    first.end()
    await bed.pass(1)
    expect([second.begun, third.begun]).toEqual([1, 0])
    second.end()
    await bed.pass(1)
    expect(await bed.told(third)).toEqual(['2026-06-01T01:31 running schedule'])
  })

  it('waits for operations, and operations are refused while a job runs', async () => {
    const tidy = heldJob('shop.tidy')
    const bed = await new JobBed('2026-06-01T01:29:00Z', [tidy]).open()
    const { ports, actor, pid } = bed.around
    const claim = { actor, pid, purpose: 'update shop' }
    await withOperationLock(ports, STATE, claim, async () => {
      await bed.pass(20)
      expect(tidy.begun).toBe(0)
    })
    await bed.tick()
    expect(await bed.told(tidy)).toEqual(['2026-06-01T01:30 running schedule'])
    await expect(withOperationLock(ports, STATE, claim, async () => 1)).rejects.toMatchObject({
      why: expect.stringContaining('job shop.tidy'),
      next: expect.stringContaining('"caretaker job stop shop.tidy"'),
    })
    await expect(runJob(bed.around, tidy, PERSON, () => undefined, bed.stop.signal)).rejects.toMatchObject({
      code: 'LOCKED',
    })
    tidy.end()
    await settle()
    await withOperationLock(ports, STATE, claim, async () => 1)
  })

  it('leaves out what is due while a person runs the same job', async () => {
    const tidy = heldJob('shop.tidy')
    const bed = await new JobBed('2026-06-01T01:28:00Z', [tidy]).open()
    const byHand = runJob(bed.around, tidy, PERSON, () => undefined, bed.stop.signal)
    await bed.pass(5)
    tidy.end()
    expect((await byHand).result).toBe('done')
    await bed.pass(5)
    expect(await bed.told(tidy)).toEqual(['- done person', '2026-06-01T01:30 skipped schedule'])
  })

  it('goes on after a job that failed', async () => {
    const tidy = heldJob('shop.tidy')
    const bed = await new JobBed('2026-06-01T01:29:00Z', [tidy]).open()
    await bed.pass(2)
    tidy.end(new AppError('JOB_FAILED', { what: 'It failed', why: 'no broom', next: 'Buy one' }))
    await settle()
    expect((await bed.runs(tidy))[0]).toMatchObject({
      result: 'failed',
      error: { code: 'JOB_FAILED', why: 'no broom' },
    })
    expect(
      await bed.files.readText(`${STATE}/logs/jobs/shop.tidy/${(await bed.runs(tidy))[0]?.run}.log`),
    ).toBe('It failed: no broom\n')
    await bed.pass(24 * 60)
    expect(tidy.begun).toBe(2)
  })
})

describe('missed while off', () => {
  it('is caught up once, however often it was due', async () => {
    const tidy = heldJob('shop.tidy')
    const bed = await new JobBed('2026-06-01T12:00:00Z', [tidy]).open()
    await bed.killAndStart('2026-06-05T12:00:00Z')
    tidy.end()
    await bed.pass(60)
    expect(await bed.told(tidy)).toEqual(['2026-06-05T01:30 done catch-up'])
    expect((await bed.runs(tidy))[0]?.due_times).toBe(4)
  })

  it('is left out when the job says so, and that is said', async () => {
    const tidy = heldJob('shop.tidy', { missed: 'skip' })
    const bed = await new JobBed('2026-06-01T12:00:00Z', [tidy]).open()
    await bed.killAndStart('2026-06-05T12:00:00Z')
    await bed.pass(60)
    expect(tidy.begun).toBe(0)
    expect((await bed.runs(tidy))[0]).toMatchObject({ result: 'skipped', due_times: 4 })
  })
})

describe('a run whose process died', () => {
  it('is recorded as interrupted and caught up once', async () => {
    const tidy = heldJob('shop.tidy')
    const bed = await new JobBed('2026-06-01T01:29:00Z', [tidy]).open()
    await bed.pass(2)
    await bed.killAndStart()
    expect(await bed.told(tidy)).toEqual([
      '2026-06-01T01:30 interrupted schedule',
      '2026-06-01T01:30 running catch-up',
    ])
    await bed.killAndStart()
    await bed.pass(60)
    expect(await bed.told(tidy)).toEqual([
      '2026-06-01T01:30 interrupted schedule',
      '2026-06-01T01:30 interrupted catch-up',
    ])
  })

  it('is not run again when the job says so', async () => {
    const tidy = heldJob('shop.tidy', { missed: 'skip' })
    const bed = await new JobBed('2026-06-01T01:29:00Z', [tidy]).open()
    await bed.pass(2)
    await bed.killAndStart()
    await bed.pass(60)
    expect(await bed.told(tidy)).toEqual(['2026-06-01T01:30 interrupted schedule'])
  })

  it('is known as interrupted too when the daemon was told to stop', async () => {
    const tidy = heldJob('shop.tidy')
    const bed = await new JobBed('2026-06-01T01:29:00Z', [tidy]).open()
    await bed.pass(2)
    bed.stop.abort()
    await bed.lane.idle()
    expect(await bed.told(tidy)).toEqual(['2026-06-01T01:30 interrupted schedule'])
    await bed.killAndStart()
    expect((await bed.told(tidy)).at(-1)).toBe('2026-06-01T01:30 running catch-up')
  })
})

it('begins nothing when a person came while it looked, and the next time it does', async () => {
  const hourly = heldJob('shop.hourly', { schedule: { pattern: '0 * * * *', zone: 'UTC' } })
  const bed = await new JobBed('2026-06-02T09:59:00Z', [hourly]).open()
  let looks = 0
  await bed.clock.advance(60_000)
  await bed.lane.tick(bed.around, bed.jobs, bed.stop.signal, { mayBegin: () => ++looks > 1 })
  expect([looks, hourly.begun]).toEqual([1, 0])
  await bed.tick()
  expect(hourly.begun).toBe(1)
  hourly.end()
})

describe('a clock that jumps', () => {
  const nightly = () => heldJob('shop.tidy')

  it('back by a day repeats no run, and the next night it runs', async () => {
    const tidy = nightly()
    const bed = await new JobBed('2026-06-02T01:29:00Z', [tidy]).open()
    await bed.pass(2)
    tidy.end()
    await bed.pass(5)
    bed.clock.setWall('2026-06-01T01:29:00Z')
    await bed.pass(24 * 60 + 30, 60_000)
    expect(await bed.told(tidy)).toEqual(['2026-06-02T01:30 done schedule'])
    await bed.pass(24 * 60, 60_000)
    expect((await bed.told(tidy)).at(-1)).toBe('2026-06-03T01:30 running schedule')
  })

  it.each([
    ['a day', '2026-06-01T12:31:00Z'],
    ['five hours', '2026-06-02T07:31:00Z'],
  ])('back by %s does not stop a job of every hour, and repeats nothing at once', async (_name, wrong) => {
    const hourly = heldJob('shop.hourly', { schedule: { pattern: '0 * * * *', zone: 'UTC' } })
    const bed = await new JobBed('2026-06-02T09:30:00Z', [hourly]).open()
    const passHours = async (hours: number) => {
      for (let passed = 0; passed < hours * 60; passed += 5) {
        await bed.pass(5, 5 * 60_000)
        hourly.end()
      }
    }
    await passHours(3)
    expect(hourly.begun).toBe(3)
    bed.clock.setWall(wrong)
    await bed.pass(28)
    expect(hourly.begun).toBe(3)
    await passHours(30)
    expect(hourly.begun).toBe(3 + 30)
    await bed.killAndStart()
    await passHours(3)
    expect(hourly.begun).toBe(3 + 33)
  })

  it.each([
    ['a day', '2026-06-02T12:00:00Z'],
    ['a year', '2027-06-01T12:00:00Z'],
  ])('forward by %s and back again does not stop it', async (_name, wrong) => {
    const tidy = nightly()
    const bed = await new JobBed('2026-06-01T12:00:00Z', [tidy]).open()
    bed.clock.setWall(wrong)
    await bed.tick()
    expect(tidy.begun, 'what was missed is caught up once').toBe(1)
    tidy.end()
    await bed.pass(1)
    bed.clock.setWall('2026-06-01T12:05:00Z')
    for (let hour = 0; hour < 48; hour += 1) {
      await bed.pass(60, 60_000)
      tidy.end()
    }
    expect((await bed.told(tidy)).slice(1).join()).toContain('2026-06-03T01:30')
    const ran = (await bed.runs(tidy)).filter((run) => run.started_at).map((run) => run.scheduled_for)
    expect(new Set(ran).size, 'no due time is run twice').toBe(ran.length)
  })

  it('after a first start with a clock that was a year ahead it runs', async () => {
    const tidy = nightly()
    const bed = await new JobBed('2027-06-01T12:00:00Z', [tidy]).open()
    await bed.killAndStart('2026-06-01T12:00:00Z')
    await bed.pass(14 * 60)
    expect(await bed.told(tidy)).toEqual(['2026-06-02T01:30 running schedule'])
  })
})

it('in the nights of daylight saving each job runs once', async () => {
  for (const [start, due] of [
    ['2026-03-28T23:00:00Z', '2026-03-29T01:30'],
    ['2026-10-24T22:00:00Z', '2026-10-25T00:30'],
  ] as const) {
    const tidy = heldJob('shop.tidy', { schedule: { pattern: '30 2 * * *', zone: 'Europe/Vienna' } })
    const bed = await new JobBed(start, [tidy]).open()
    await bed.pass(3 * 60)
    tidy.end()
    await bed.pass(5 * 60)
    expect(await bed.told(tidy)).toEqual([`${due} done schedule`])
  }
})
