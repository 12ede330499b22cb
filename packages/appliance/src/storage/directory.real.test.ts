import { afterAll, beforeAll } from 'vitest'
import { openPostgresLab, type PostgresLab } from '../database/postgres.fixture.ts'
import { describeStorage } from './conformance.ts'
import { storageLab } from './storage-lab.fixture.ts'

let postgres: PostgresLab

beforeAll(async () => {
  postgres = await openPostgresLab()
})
afterAll(async () => postgres[Symbol.asyncDispose]())

describeStorage('directory', async () => storageLab('directory', postgres, postgres.folder))
