import type { ErrorCode } from '@caretaker/kernel/error-codes.ts'
import { AppError } from '@caretaker/kernel/errors.ts'
import { MemoryFiles } from '@caretaker/ports/memory-files.ts'
import { beforeEach, describe, expect, it } from 'vitest'
import { addFailure, clearFailure, readFacts, replaceFailure, updateFacts } from './facts.ts'

const EARLY = '2026-01-01T00:00:00.000Z'
const LATE = '2026-01-02T00:00:00.000Z'
const report = (code: ErrorCode, why = 'because') =>
  new AppError(code, { what: 'What', why, next: 'Next' }).toReport()

describe('the reason of a failure', () => {
  const specific = addFailure({}, 'shop', report('MIGRATION_FAILED'), EARLY, 'shop/app.migrate')
  const generic = addFailure({}, 'shop', report('STEP_TIMEOUT'), EARLY)

  it('stays the first one while the part is only seen failing', () => {
    expect(addFailure(specific, 'shop', report('SERVICE_CRASH_LOOP'), LATE)).toBe(specific)
    expect(addFailure(generic, 'shop', report('SMOKE_FAILED'), LATE)).toMatchObject({
      shop: { code: 'SMOKE_FAILED', since: LATE },
    })
  })

  it.each(['INTERNAL', 'STEP_NOT_EFFECTIVE', 'STEP_TIMEOUT', 'COMMAND_FAILED', 'STEP_BLOCKED'] as const)(
    'is never overwritten by the generic %s when it is specific',
    (code) => {
      expect(addFailure(specific, 'shop', report(code), LATE)).toBe(specific)
      expect(replaceFailure(specific, 'shop', report(code), LATE)).toBe(specific)
    },
  )

  it('is that of the last try when it was tried again', () => {
    expect(replaceFailure(specific, 'shop', report('SMOKE_FAILED'), LATE)).toEqual({
      shop: { ...report('SMOKE_FAILED'), since: LATE },
    })
    expect(replaceFailure(generic, 'shop', report('INTERNAL'), LATE).shop).toMatchObject({ code: 'INTERNAL' })
  })

  it('keeps its time and its step when it is still the same', () => {
    expect(replaceFailure(specific, 'shop', report('MIGRATION_FAILED'), LATE)).toEqual(specific)
    expect(replaceFailure(specific, 'shop', report('MIGRATION_FAILED', 'another'), LATE).shop?.since).toBe(
      LATE,
    )
  })

  it('of one part leaves those of others alone', () => {
    const both = addFailure(specific, 'notes', report('SMOKE_FAILED'), LATE)
    expect(Object.keys(both)).toEqual(['shop', 'notes'])
    expect(clearFailure(both, 'shop')).toEqual({ notes: both.notes })
    expect(clearFailure(both, 'none')).toEqual(both)
  })
})

describe('facts', () => {
  let files: MemoryFiles
  beforeEach(async () => {
    files = new MemoryFiles()
    await files.makeFolder('/state')
  })

  it('are those of a first start when there are none', async () => {
    expect(await readFacts(files, '/state')).toEqual({
      wanted: 'up',
      startedBefore: false,
      manual: undefined,
      failures: {},
      activity: undefined,
    })
  })

  it('survive a power cut once they are written, and are written only when they change', async () => {
    await updateFacts(files, '/state', () => ({ startedBefore: true }))
    files.crash()
    expect((await readFacts(files, '/state')).startedBefore).toBe(true)
    files.fail('write', 'ENOSPC')
    await updateFacts(files, '/state', () => ({ startedBefore: true }))
    await expect(updateFacts(files, '/state', () => ({ wanted: 'down' }))).rejects.toThrow('ENOSPC')
    files.heal()
    expect((await readFacts(files, '/state')).wanted).toBe('up')
  })

  it('that are damaged are an error that names the file, not a first start', async () => {
    await files.write('/state/facts.json', '{"wanted": "u')
    await expect(readFacts(files, '/state')).rejects.toMatchObject({
      code: 'STATE_DAMAGED',
      why: expect.stringContaining('/state/facts.json'),
    })
  })
})
