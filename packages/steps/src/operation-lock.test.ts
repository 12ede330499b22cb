import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { findLockHolder, withOperationLock } from './operation-lock.ts'
import { runPlan } from './runner.ts'
import { createTestBed, quiet, STATE, type TestBed } from './test-bed.ts'

const claim = (purpose: string) => ({ actor: { user: 'ada', via: 'command line' }, purpose, pid: 4711 })

/** Runs `during` while an operation holds the lock for 90 s already. */
async function whileHeld(bed: TestBed, during: () => Promise<void>): Promise<void> {
  await withOperationLock(bed.runner.ports, STATE, claim('update guestbook'), async () => {
    await bed.clock.advance(90_000)
    await during()
  })
}

describe('the lock of a state folder', () => {
  it('refuses a second operation with holder, age, purpose and exit code 11, before anything is written', async () => {
    const bed = await createTestBed()
    await whileHeld(bed, async () => {
      await expect(runPlan(bed.runner, bed.plan('undo', ['set', 'a']), quiet())).rejects.toMatchObject({
        code: 'LOCKED',
        exitCode: 11,
        what: '"set the values" was not begun',
        why: '"update guestbook" holds the lock for 1 min 30 s: process 4711, started by ada (command line)',
      })
      expect(await bed.files.list(`${STATE}/operations`)).toBeUndefined()
    })
    expect(await runPlan(bed.runner, bed.plan('undo', ['set', 'a']), quiet())).toMatchObject({
      outcome: 'done',
    })
  })

  it('says no age that cannot be when the clock was set back', async () => {
    const bed = await createTestBed()
    await whileHeld(bed, async () => {
      bed.clock.setWall('2025-12-31T00:00:00Z')
      await expect(runPlan(bed.runner, bed.plan('undo', ['set', 'a']), quiet())).rejects.toMatchObject({
        why: expect.stringContaining('holds the lock for an unknown time: process 4711'),
      })
    })
  })

  it('tells who holds it, as long as somebody does', async () => {
    const bed = await createTestBed()
    expect(await findLockHolder(bed.runner.ports, STATE)).toBeUndefined()
    await whileHeld(bed, async () => {
      expect(await findLockHolder(bed.runner.ports, STATE)).toMatchObject({
        pid: 4711,
        user: 'ada',
        purpose: 'update guestbook',
      })
    })
    expect(await findLockHolder(bed.runner.ports, STATE)).toBeUndefined()
  })

  it('is given back when the work fails, and then nobody is named', async () => {
    const bed = await createTestBed()
    const failing = withOperationLock(bed.runner.ports, STATE, claim('x'), () =>
      Promise.reject(new Error('no')),
    )
    await expect(failing).rejects.toThrow('no')
    expect(await bed.files.stat(`${STATE}/operation.holder.json`)).toBeUndefined()
    await whileHeld(bed, () => Promise.resolve())
  })

  it('where nothing can be written, its holder is named as long as its process is there', async () => {
    const bed = await createTestBed()
    const holder = { pid: 4711, purpose: 'update guestbook', since: '2026-01-01' }
    await bed.files.write(`${STATE}/operation.holder.json`, JSON.stringify(holder))
    const refused = Object.assign(new Error('EROFS'), { code: 'EROFS' })
    const ports = { ...bed.runner.ports, locks: { tryAcquire: () => Promise.reject(refused) } }
    expect(await findLockHolder(ports, STATE)).toBeUndefined()
    await bed.files.makeFolder('/proc/4711')
    expect(await findLockHolder(ports, STATE)).toMatchObject(holder)
  })

  it('does not name a holder that died, and a look at it refuses nobody', async () => {
    const bed = await createTestBed()
    await bed.files.write(
      `${STATE}/operation.holder.json`,
      JSON.stringify({ purpose: 'dead', since: '2026-01-01' }),
    )
    expect(await findLockHolder(bed.runner.ports, STATE)).toBeUndefined()
    expect(await bed.files.stat(`${STATE}/operation.holder.json`)).toBeUndefined()
    const locks = { tryAcquire: () => Promise.reject(new Error('a look took the lock')) }
    expect(await findLockHolder({ ...bed.runner.ports, locks }, STATE)).toBeUndefined()
  })

  it('waits a moment for one without a name, who is only looking or just gives it back', async () => {
    const bed = await createTestBed()
    const look = await bed.runner.ports.locks.tryAcquire(`${STATE}/operation.lock`)
    const wish = () =>
      withOperationLock(bed.runner.ports, STATE, claim('down'), () => Promise.resolve('done'))
    const refused = expect(wish()).rejects.toMatchObject({
      code: 'LOCKED',
      why: 'another operation holds the lock',
    })
    await setImmediate()
    await bed.clock.advance(3000)
    await refused
    const waiting = wish()
    await setImmediate()
    await look?.release()
    await bed.clock.advance(1000)
    expect(await waiting).toBe('done')
  })

  it('refuses also when the note about the holder is not readable', async () => {
    const bed = await createTestBed()
    await whileHeld(bed, async () => {
      await bed.files.write(`${STATE}/operation.holder.json`, '{"pid":')
      await expect(whileHeld(bed, () => Promise.resolve())).rejects.toMatchObject({ code: 'LOCKED' })
    })
  })
})
