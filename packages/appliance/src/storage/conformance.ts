import { describe } from 'vitest'
import type { PostgresLab } from '../database/postgres.fixture.ts'
import { describeIdentity } from './conformance-identity.ts'
import { describeInterruption } from './conformance-interruption.ts'
import { describeLiveCopies } from './conformance-live-copies.ts'
import { describeOddFiles } from './conformance-odd-files.ts'
import { describeSnapshots } from './conformance-snapshots.ts'
import { describeWriters } from './conformance-writers.ts'
import type { Storage } from './storage.ts'

/** The calls that can be interrupted. */
export type StorageCall =
  | readonly ['createUnit', string]
  | readonly ['snapshot', string, string]
  | readonly ['switchTo', string, string, string]
  | readonly ['writableCopy', string, string, string]
  | readonly ['removeSnapshot', string, string]
  | readonly ['removeUnit', string]

/** One back end on a real, absent volume. */
export interface StorageLab extends AsyncDisposable {
  readonly postgres: PostgresLab
  /** Where `caretaker.json` lies on the volume. */
  readonly root: string
  /** A back end as a fresh process would make it, over the same volume. */
  open(): Storage
  /** Makes the call in a process of its own, which is killed (SIGKILL) before its change number `at`, from 0. */
  interrupt(call: StorageCall, at: number): Promise<'killed' | 'completed'>
  /** Takes from a snapshot what makes it complete. */
  damage(app: string, snapshot: string): Promise<void>
  /** Paths on the volume that belong to no unit and no snapshot. */
  litter(): Promise<readonly string[]>
}

/** What every back end must do, shown on real files and a real Postgres. Run it in a `*.real.test.ts`. */
export function describeStorage(name: string, make: () => Promise<StorageLab>): void {
  describe(`storage ${name}`, () => {
    describeIdentity(make)
    describeSnapshots(make)
    describeOddFiles(make)
    describeInterruption(make)
    describeWriters(make)
    describeLiveCopies(make)
  })
}
