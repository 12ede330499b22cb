import { expect, it } from 'vitest'
import { ownEntryAt } from '../config/own-entries.ts'
import { openLab } from './testing/lab.fixture.ts'
import { up } from './up.ts'

it('whatever an appliance makes in its state folder is no place for a volume', async () => {
  await using lab = await openLab({ shop: { database: true } })
  const { appliance } = await lab.open()
  const never = new AbortController().signal
  expect((await up(appliance, { firstStart: false }, () => undefined, never)).errors).toEqual([])
  const entries = ((await lab.ports.files.list(lab.stateFolder)) ?? []).map(({ name }) => name)
  expect(entries).toContain('facts.json')
  expect(entries.filter((name) => ownEntryAt(name) === undefined).toSorted()).toEqual(['data', 'volatile'])
})
