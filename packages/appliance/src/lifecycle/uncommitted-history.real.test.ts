import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openWithFile } from './open.ts'
import { showHistory } from './show-history.ts'
import type { Lab } from './testing/lab.fixture.ts'
import { openShop, SHOP } from './testing/shop.fixture.ts'
import { updateApp } from './update-app.ts'

const never = new AbortController().signal
const quiet = () => undefined

let lab: Lab
beforeEach(async () => {
  lab = await openShop()
  await lab.apps['shop']?.release('2', SHOP)
})
afterEach(() => lab[Symbol.asyncDispose]())

/** Opens the shop with a disk that takes what the commit writes down first, the history, and not what comes next. */
async function withoutCommit() {
  const { files } = lab.ports
  const history = join(lab.stateFolder, 'history', 'shop.jsonl')
  let isOver = false
  const failing = {
    ...files,
    async rename(from: string, to: string) {
      if (
        !isOver &&
        to.endsWith('/apps/shop.json') &&
        (await files.readText(history))?.includes('"kind":"update"')
      ) {
        isOver = true
        throw Object.assign(new Error('EIO: i/o error, rename'), { code: 'EIO', path: to })
      }
      return files.rename(from, to)
    },
  }
  const opened = await openWithFile(
    { ...lab.around, ports: { ...lab.ports, files: failing } },
    lab.configFile,
  )
  return { opened, failed: () => isOver }
}

it('a release whose commit fails right after it was written into the history is none that came into force', async () => {
  const { opened, failed } = await withoutCommit()
  const update = { app: 'shop', to: undefined, noRehearsal: 'a test' }
  expect(await updateApp(opened, update, quiet, never)).toMatchObject({ exit_code: 4 })
  expect(failed()).toBe(true)
  const versions = async () =>
    (await showHistory((await lab.open()).appliance, 'shop')).releases.map(({ kind, version }) => [
      kind,
      version,
    ])
  expect(await versions()).toEqual([['start', '1']])
  expect(await updateApp(await lab.open(), update, quiet, never)).toMatchObject({ exit_code: 0 })
  expect(await versions()).toEqual([
    ['start', '1'],
    ['update', '2'],
  ])
})
