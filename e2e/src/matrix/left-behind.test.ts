import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createHost } from '@caretaker/host/host.ts'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { type StatusDocument, type TestAppliance, testAppliance } from '../support/appliance.ts'
import { ownWorkshop, type Workshop } from '../support/people.ts'
import { leftBehind, ofContainers, ofNetworks } from './left-behind.ts'
import { againstCommit } from './run-case.ts'
import { bringUp } from './stage.ts'
import { isCommitted } from './strike.ts'
import { UPDATES } from './updates.ts'

let workshop: Workshop
let appliance: TestAppliance
let id: string
beforeAll(async () => {
  workshop = await ownWorkshop()
  appliance = await testAppliance()
  await appliance.createConfig()
  await appliance.ok('app', 'add', 'guestbook', await workshop.folder('v1'), '--host', 'localhost')
  await bringUp(appliance, true)
  id = (await appliance.json<StatusDocument & { appliance: { id: string } }>('status')).appliance.id
}, 240_000)
afterAll(async () => {
  await appliance?.[Symbol.asyncDispose]()
  await workshop?.[Symbol.asyncDispose]()
})

const found = () => leftBehind({ appliance, beginning: [], engine: undefined })

/** Makes a folder or, with `content`, a file of the state folder; gives what removes it. */
function plant(path: string, content?: string): () => void {
  const full = join(appliance.state, path)
  mkdirSync(content === undefined ? full : dirname(full), { recursive: true })
  if (content !== undefined) writeFileSync(full, content)
  return () => rmSync(full, { recursive: true, force: true })
}

describe('what is looked for after a kill', () => {
  it('is not there in an appliance that nothing happened to', async () => {
    expect(await found()).toEqual([])
  })

  test.each([
    ['a generation of the data', 'data/units/guestbook/gen-99', undefined, /gen-99 in the data/],
    ['a copy that was begun', 'data/units/guestbook/copying', undefined, /copying in the data/],
    ['the data of a clone', 'data/units/guestbook-clone-1', undefined, /the data of guestbook-clone-1/],
    ['a snapshot', 'data/units/guestbook/snapshots/stray', undefined, /the snapshot stray/],
    ['a state that is kept for nobody', 'kept/guestbook/stray', undefined, /the logs of the snapshot stray/],
    ['a folder of a clone', 'run/guestbook-clone-1', undefined, /run\/guestbook-clone-1 in the state/],
    ['a record of a clone', 'containers/guestbook-clone-1.x.json', '{}', /guestbook-clone-1\.x\.json/],
    ['a cell', 'processes/cells/stray', undefined, /the cell stray/],
  ])('is found: %s', async (_, path, content, told) => {
    const remove = plant(path, content)
    try {
      expect((await found()).join('\n')).toMatch(told)
    } finally {
      remove()
    }
  })

  it('is found: a process that belongs to it', async () => {
    const env = { CARETAKER_LABEL: `${id}/guestbook-clone-1/web` }
    const child = spawn('/bin/sleep', ['600'], { env, stdio: 'ignore' })
    try {
      expect(await found()).toEqual([expect.stringContaining(`the process ${child.pid} (/bin/sleep 600`)])
    } finally {
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    }
  })

  it('is found: the lock in the hands of a process', async () => {
    const held = await createHost().locks.tryAcquire(join(appliance.state, 'operation.lock'))
    try {
      expect(await found()).toEqual(['the operation lock is held'])
    } finally {
      await held?.release()
    }
  })

  it.runIf(process.getuid?.() === 0)('is found: a mount', async () => {
    const remove = plant('run/stray')
    const folder = join(appliance.state, 'run/stray')
    execFileSync('mount', ['-t', 'tmpfs', 'none', folder])
    try {
      expect(await found()).toEqual([`the mount ${folder}`])
    } finally {
      execFileSync('umount', [folder])
      remove()
    }
  })

  it('is found: containers and networks of a clone, and a container too many', () => {
    const own = ['ct-1-guestbook-web', 'ct-1-guestbook-worker', 'ct-1-guestbook-postgres']
    expect(ofContainers(own.join('\n'))).toEqual([])
    expect(ofContainers([...own, 'ct-1-guestbook_b-web'].join('\n'))).toHaveLength(1)
    expect(ofContainers([...own, 'ct-1-guestbook-clone-1-web'].join('\n'))).toEqual([
      'the container ct-1-guestbook-clone-1-web',
    ])
    expect(ofNetworks('bridge\nct-1-guestbook\nct-1-guestbook-clone-1\n')).toEqual([
      'the network ct-1-guestbook-clone-1',
    ])
  })
})

describe('which release must serve', () => {
  const [migrates, , fails] = UPDATES
  const at = '2026-01-01T00:00:00.000Z'
  const operation = '20260101-000000-update-guestbook-abcd'
  const step = 'guestbook/update.commit'
  const started = { operation, record: { type: 'step-started', at, step, before: null } } as const
  const applied = { operation, record: { type: 'step-applied', at, step, duration_ms: 1 } } as const
  const struck = (records: Parameters<typeof isCommitted>[0]) => ({
    hit: true,
    found: '',
    isCommitted: isCommitted(records),
  })

  it('is the old one before the commit and the new one after it', () => {
    const daemon = { victim: 'daemon', update: migrates! } as const
    expect(againstCommit(daemon, struck([]), 'NEW')).toEqual(['it was not committed, and NEW serves'])
    expect(againstCommit(daemon, struck([]), 'OLD')).toEqual([])
    expect(againstCommit(daemon, struck([started, applied]), 'OLD')).toEqual([
      'it was committed, and OLD serves',
    ])
    expect(againstCommit(daemon, struck([started, applied]), 'NEW')).toEqual([])
  })

  it('is either one while it is being committed, and when what dies is not what updates', () => {
    const daemon = { victim: 'daemon', update: migrates! } as const
    for (const outcome of ['OLD', 'NEW'] as const) {
      expect(againstCommit(daemon, struck([started]), outcome)).toEqual([])
      expect(againstCommit({ ...daemon, victim: 'Postgres' }, struck([]), outcome)).toEqual([])
    }
    expect(againstCommit({ victim: 'Postgres', update: fails! }, struck([]), 'NEW')).toHaveLength(1)
  })
})
