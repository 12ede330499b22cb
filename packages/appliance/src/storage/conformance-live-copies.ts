import { describe, expect, test } from 'vitest'
import { copyLiveUnit } from '../database/base-backup.ts'
import type { StorageLab } from './conformance.ts'
import { readNote, unitWithNote } from './conformance-unit.ts'
import { expectWhole, query, startApp, type WritingApp } from './conformance-writers.ts'

const COPIES = 6
const never = new AbortController().signal

/** Units made from others that are being written in. */
export function describeLiveCopies(make: () => Promise<StorageLab>): void {
  describe('live copies', () => {
    test(`${COPIES} under a writer each hold every row and file acknowledged before, whole`, async () => {
      await using lab = await make()
      const app = await startApp(lab)
      const { owner, ports } = lab.postgres
      const server = { admin: lab.postgres.superuser(app.cluster), owner, timeoutMs: 60_000 }
      const churn = startChurn(lab, app)
      const acknowledged: number[] = []
      for (let number = 1; number <= COPIES; number++) {
        await app.untilAcknowledged(app.acknowledged() + 10)
        acknowledged.push(app.acknowledged())
        await app.storage.liveCopy('app', `copy-${number}`, (from, to) =>
          copyLiveUnit(ports, server, from, to, never),
        )
      }
      expect(await churn.end(), 'tables that came and went').toBeGreaterThan(COPIES)
      await app.stop()
      for (const [index, count] of acknowledged.entries())
        await expectWhole(lab, app.storage, `copy-${index + 1}`, count)
    }, 600_000)

    test('is a unit of its own, and nothing of it stays when it fails', async () => {
      await using lab = await make()
      const storage = await unitWithNote(lab)
      const { files } = lab.postgres.ports
      const fill = (from: string, to: string) =>
        files.copyLiveTree(`${from}/files`, `${to}/files`, () => false)
      const failing = async (from: string, to: string) => {
        await fill(from, to)
        throw new Error('the session broke')
      }
      await expect(storage.liveCopy('app', 'copy', failing)).rejects.toThrow('the session broke')
      expect(await storage.hasUnit('copy')).toBe(false)
      expect(await lab.litter()).toEqual([])
      await storage.liveCopy('app', 'copy', fill)
      expect(await readNote(lab, storage.unitPath('copy'))).toBe('one')
      await expect(storage.liveCopy('app', 'copy', fill)).rejects.toMatchObject({ code: 'UNIT_EXISTS' })
      await expect(storage.liveCopy('gone', 'other', fill)).rejects.toMatchObject({ code: 'UNIT_UNKNOWN' })
      await storage.removeUnit('copy')
      expect(await readNote(lab, storage.unitPath('app'))).toBe('one')
    })
  })
}

/** Makes files of the cluster come, shrink and go, and its log begin anew, until it is told to end. */
function startChurn(lab: StorageLab, app: WritingApp): { end(): Promise<number> } {
  const admin = lab.postgres.superuser(app.cluster)
  let rounds = 0
  let ending = false
  const churn = async () => {
    while (!ending) {
      await query(lab, admin, 'CREATE TABLE fleeting AS SELECT n FROM generate_series(1, 20000) AS n')
      await query(lab, admin, 'TRUNCATE fleeting')
      await query(lab, admin, 'DROP TABLE fleeting')
      await query(lab, admin, 'SELECT pg_switch_wal()')
      await query(lab, admin, 'CHECKPOINT')
      rounds += 1
    }
  }
  const running = churn()
  running.catch(() => undefined)
  return {
    async end() {
      ending = true
      await running
      return rounds
    },
  }
}
