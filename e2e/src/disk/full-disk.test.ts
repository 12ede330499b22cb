import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { makeTinyApp } from '@caretaker/appliance/lifecycle/testing/tiny-app.fixture.ts'
import { BALLAST_PARTS } from '@caretaker/ports/ballast.ts'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { StatusDocument } from '../support/appliance.ts'
import { eventually, isAlive } from '../support/observe.ts'
import { type DiskBed, openDiskBed, whyNoDisk } from './disk-bed.ts'

const why = whyNoDisk()
/** The daemon makes the ballast whole again within half a minute; a slow machine takes longer. */
const MENDS_WITHIN_MS = 120_000

describe.skipIf(why !== '')(`a full disk below the state folder${why && ` (skipped: ${why})`}`, () => {
  let bed: DiskBed
  beforeAll(async () => {
    bed = await openDiskBed()
  })
  afterAll(() => bed?.[Symbol.asyncDispose]())
  afterEach(() => bed.free())

  const stateDisk = async () =>
    (await bed.appliance.json<StatusDocument>('status')).parts.find(({ part }) => part === 'state folder')
  const serves = async () => (await bed.appliance.request('/')).status === 200
  const mended = () =>
    eventually(
      'the ballast is whole and nothing is amiss',
      async () => (await bed.ballast()) === BALLAST_PARTS && (await stateDisk()) === undefined,
      MENDS_WITHIN_MS,
    )

  test('is said by status and doctor with the file system, what is left and what to type; logs work', async () => {
    await bed.fill()
    const { state } = bed.appliance
    expect(await stateDisk()).toMatchObject({
      code: 'DISK_FULL',
      next: expect.stringContaining(`du -xh ${state} `),
    })
    expect((await stateDisk())?.reason).toMatch(
      new RegExp(
        `^the file system ${state} of the state folder ${state} is full: .* are free, and .* of the 4.0 MiB ballast`,
      ),
    )
    expect((await bed.appliance.run('status')).code).toBe(3)
    const doctor = await bed.appliance.run('doctor')
    expect(doctor.code).toBe(3)
    expect(doctor.stdout).toMatch(/problem +ballast: .*\n +next: Free space there.*\n +code: DISK_FULL/)
    expect((await bed.appliance.ok('logs')).stdout).toContain('daemon started')
    expect(await serves()).toBe(true)
  })

  test('restart, service mode and down work on it, and up says why it cannot before there is room', async () => {
    for (const words of [
      ['app', 'restart', 'shop'],
      ['service', 'on', 'Moving to a larger disk'],
      ['service', 'off'],
      ['down'],
    ]) {
      await bed.fill()
      await bed.appliance.ok(...words)
    }
    expect(await bed.ballast()).toBeLessThan(BALLAST_PARTS)
    expect(await bed.appliance.pids()).toEqual({})
    const stopped = await bed.appliance.json<StatusDocument>('status')
    expect(stopped).toMatchObject({ state: 'stopped', exit_code: 0 })
    expect(stopped.parts.map(({ part, code }) => `${part} ${code}`)).toEqual(['state folder DISK_FULL'])
    await bed.fill()
    const up = await bed.appliance.run('up')
    // A Postgres that needs no room for its recovery can start.
    if (up.code !== 0) {
      expect(up.stderr).toContain(`on the file system ${bed.appliance.state}`)
      expect(up.stderr).toContain('code: DISK_FULL, exit 75')
    }
    await bed.free()
    await bed.appliance.ok('up')
    expect(await serves()).toBe(true)
    await mended()
  })

  test('a service that ends is started again by the daemon, which leaves half of the ballast to people', async () => {
    await bed.fill()
    const before = await bed.appliance.pids()
    for (const name of ['web', 'postgres']) process.kill(before[name] ?? 0, 'SIGKILL')
    await eventually('web is back', async () => {
      const { web } = await bed.appliance.pids()
      return web !== undefined && web !== before.web && isAlive(web)
    })
    expect(await bed.ballast()).toBeGreaterThanOrEqual(BALLAST_PARTS / 2)
    await bed.free()
    await eventually(
      'everything serves again without a restart of the daemon',
      async () => (await bed.appliance.json<StatusDocument>('status')).state === 'running',
      MENDS_WITHIN_MS,
    )
    expect(isAlive(bed.daemon.pid)).toBe(true)
    await mended()
  })

  test('without ballast a command says path, file system and what to type, and the daemon lives on', async () => {
    // Full first: with room the daemon would make the ballast anew.
    await bed.fill()
    const folder = join(bed.appliance.state, 'ballast')
    for (const name of await readdir(folder)) await rm(join(folder, name))
    await bed.fill()
    const ran = await bed.appliance.run('down')
    expect(ran.code).toBe(75)
    expect(ran.stderr).toMatch(
      new RegExp(
        `why: +no space is left for ${bed.appliance.state}/\\S+ on the file system ${bed.appliance.state}\n +next: Free space there \\("du -xh ${bed.appliance.state} `,
      ),
    )
    expect(await serves()).toBe(true)
    expect(isAlive(bed.daemon.pid)).toBe(true)
    await bed.free()
    await bed.appliance.ok('down')
    await bed.appliance.ok('up')
    await mended()
  })

  test('a Postgres that would not fit is not begun, and says what it takes', async () => {
    const second = await makeTinyApp(bed.appliance.home, 'second', { database: true })
    await bed.fill(24)
    const ran = await bed.appliance.run('app', 'add', 'second', second.folder, '--host', 'second.localhost')
    expect(ran.code).toBe(75)
    expect(ran.stderr).toMatch(
      /The Postgres of second was not created\n +why: +no space is left for \S+\/second\/\S+ on the file system \S+: a new cluster takes 48.0 MiB, and .* are free/,
    )
    await bed.free()
    await bed.appliance.ok('up')
    expect((await bed.appliance.pids()).web).toBeGreaterThan(0)
    await bed.appliance.ok('app', 'remove', 'second', '--data', '--confirm', 'second')
  })

  test('without a daemon the same commands work', async () => {
    await bed.daemon.stop()
    await bed.appliance.ok('up')
    for (const words of [['service', 'on', 'Moving'], ['service', 'off'], ['down']]) {
      await bed.fill()
      await bed.appliance.ok(...words)
    }
    expect(await bed.ballast()).toBeLessThan(BALLAST_PARTS)
    await bed.free()
    await bed.appliance.ok('up')
    expect(await bed.ballast()).toBe(BALLAST_PARTS)
    expect(await serves()).toBe(true)
  })
})
