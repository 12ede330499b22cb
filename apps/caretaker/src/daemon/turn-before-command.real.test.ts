import { type Lab, openLab } from '@caretaker/appliance/lifecycle/testing/lab.fixture.ts'
import { up } from '@caretaker/appliance/lifecycle/up.ts'
import { MARKER } from '@caretaker/appliance/storage/identity.ts'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type KeptLab, keepLab } from './testing/kept-lab.fixture.ts'

const never = new AbortController().signal

let lab: Lab
let kept: KeptLab
/** What the daemon waits for in the middle of a turn, before it looks after the services. */
let gate: { readonly reached: () => void; readonly opens: Promise<void> } | undefined

beforeAll(async () => {
  lab = await openLab({ shop: {}, late: {} })
  await lab.configure(['applications', 'late'], undefined)
  const files = {
    ...lab.ports.files,
    async readText(path: string) {
      if (path.endsWith(MARKER) && gate) {
        const { reached, opens } = gate
        gate = undefined
        reached()
        await opens
      }
      return lab.ports.files.readText(path)
    },
  }
  kept = keepLab(lab, { ...lab.around, ports: { ...lab.ports, files } })
  await kept.eventually('it is up', async () => (await kept.state()).state === 'running')
})
afterAll(async () => {
  await kept[Symbol.asyncDispose]()
  await lab[Symbol.asyncDispose]()
})

it('what a command has put up stays up, though the daemon was in the middle of a turn with the config before', async () => {
  const reached = Promise.withResolvers<void>()
  const opens = Promise.withResolvers<void>()
  gate = { reached: reached.resolve, opens: opens.promise }
  await reached.promise
  await kept.keeper.command(
    async () => {
      await lab.configure(['applications', 'late'], { source: lab.apps['late']!.folder })
      expect(
        await up((await lab.open()).appliance, { firstStart: false }, () => undefined, never),
      ).toMatchObject({
        errors: [],
      })
    },
    { decides: true },
  )
  const visit = () => lab.get('late').then(({ status }) => status, String)
  const answers = [await visit()]
  opens.resolve()
  await kept.eventually('the daemon knows of it', async () => {
    answers.push(await visit())
    return kept.keeper.opened?.appliance.config.applications['late'] !== undefined
  })
  for (let count = 0; count < 20; count += 1) answers.push(await visit())
  expect(answers).toEqual(answers.map(() => 200))
})
