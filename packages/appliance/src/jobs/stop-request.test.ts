import { expect, test } from 'vitest'
import { askToStop, findStopRequest } from './stop-request.ts'
import { heldJob, JobBed, STATE, settle } from './testing.fixture.ts'

const PERSON = { user: 'maria', via: 'command line' }

test('the run a person asks to end is cancelled, with who; it is not caught up', async () => {
  const job = heldJob('shop.tidy')
  const bed = await new JobBed('2026-03-01T02:29:50Z', [job]).open()
  await bed.pass(1)
  const [run] = await bed.runs(job)
  expect(run?.result).toBe('running')
  // A request for another run is none for this one.
  await askToStop(bed.files, STATE, job.name, { ...PERSON, run: 'another' })
  await bed.pass(1)
  expect((await bed.runs(job))[0]?.result).toBe('running')
  await askToStop(bed.files, STATE, job.name, { ...PERSON, run: run?.run ?? '' })
  await bed.clock.advance(1000)
  await settle()
  expect(await bed.runs(job)).toMatchObject([
    { result: 'cancelled', reason: 'maria stopped it (command line)', error: null },
  ])
  expect(await findStopRequest(bed.files, STATE, job.name, run?.run ?? '')).toBeUndefined()
  await bed.pass(10)
  await bed.killAndStart()
  await bed.pass(2)
  expect(job.begun).toBe(1)
})
