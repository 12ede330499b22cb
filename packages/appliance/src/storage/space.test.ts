import { GIB, MIB } from '@caretaker/kernel/units.ts'
import { expect, test } from 'vitest'
import { assertRoom, judgeSpace } from './space.ts'

const lines = { warnPercent: 80, reservePercent: 10 }
const volume = (availableGib: number) =>
  judgeSpace({ totalBytes: 100 * GIB, availableBytes: availableGib * GIB }, lines)

test('the warning begins at its line, the refusal at the reserve', () => {
  expect(volume(21)).toMatchObject({ warn: false, belowReserve: false, reserveBytes: 10 * GIB })
  expect(volume(20)).toMatchObject({ warn: true, belowReserve: false })
  expect(volume(10)).toMatchObject({ warn: true, belowReserve: false })
  expect(volume(9)).toMatchObject({ warn: true, belowReserve: true })
})

test('what would cross the reserve is refused with the figures and exit code 75', () => {
  expect(() => assertRoom(volume(30), 20 * GIB, '/data')).not.toThrow()
  expect(() => assertRoom(volume(30), 20 * GIB + 1, '/data')).toThrow(
    expect.objectContaining({
      code: 'STORAGE_SPACE',
      exitCode: 75,
      why: expect.stringContaining('30.0 GiB free'),
    }),
  )
})

test('a volume of no size at all counts as full', () => {
  expect(judgeSpace({ totalBytes: 0, availableBytes: 0 }, lines)).toMatchObject({ usedRatio: 1, warn: true })
})

test('metadata counts by the same lines, and is named when it is what is missing', () => {
  const nearlyFull = { totalBytes: 100 * MIB, availableBytes: 9 * MIB }
  const space = judgeSpace({ totalBytes: 100 * GIB, availableBytes: 90 * GIB }, lines, nearlyFull)
  expect(space).toMatchObject({ warn: true, belowReserve: true, metadata: { availableBytes: 9 * MIB } })
  expect(() => assertRoom(space, 0, '/data')).toThrow(
    expect.objectContaining({
      code: 'STORAGE_SPACE',
      why: expect.stringMatching(/90\.0 GiB free for data, but only 9\.0 MiB of 100 MiB .*metadata/),
      next: expect.stringContaining('btrfs balance start -dusage=20 /data'),
    }),
  )
  const roomy = { totalBytes: 100 * MIB, availableBytes: 10 * MIB }
  const allowed = judgeSpace({ totalBytes: 100 * GIB, availableBytes: 90 * GIB }, lines, roomy)
  expect(allowed).toMatchObject({ warn: true, belowReserve: false })
  expect(() => assertRoom(allowed, GIB, '/data')).not.toThrow()
})
