import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../support/observe.ts'
import { finderOf, fresh } from './canaries.ts'
import { canariesInState, secretFilesOf, toldInEnvironments, toldOnCommandLines } from './judge.ts'
import { type ProcessWatch, watchProcesses } from './process-watch.ts'

/** A leak of every kind that the canaries look for, planted on purpose: each must be found, or their silence says nothing. */
const KEY = { name: 'shop/key', value: fresh('key') }
const finder = finderOf([KEY])
const ownOf = (app: string) => (app === 'shop' ? [KEY.name] : [])

let folder: string
let watch: ProcessWatch
const children: ChildProcess[] = []
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ct-sabotage-'))
  watch = watchProcesses()
})
afterAll(async () => {
  watch[Symbol.dispose]()
  for (const child of children) {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }
  await rm(folder, { recursive: true })
})

/** A process with these words and variables that is there until the end; resolves when it was seen. */
async function standby(mark: string, words: readonly string[], env: Readonly<Record<string, string>>) {
  const wait = ['--eval', 'setInterval(() => {}, 1000)', mark, ...words]
  children.push(spawn(process.execPath, wait, { env: { PATH: '/usr/bin', ...env }, stdio: 'ignore' }))
  const mine = () => watch.seen.filter(({ commandLine }) => commandLine.includes(`\0${mark}\0`))
  await eventually('the process was seen', async () =>
    mine().some(({ environment }) => environment.includes('PATH=/usr/bin')),
  )
  return mine()
}

const homeOf = (app: string) => ({ HOME: `/state/volatile/${app}/home` })

test('a secret on a command line is found', async () => {
  const seen = await standby('argv', ['--password', KEY.value], {})
  expect(toldOnCommandLines(seen, finder).map(({ name }) => name)).toContain(KEY.name)
})

test('a secret in the environment of another application, or of no application, is found', async () => {
  const leaks = [
    await standby('another', ['x'], { ...homeOf('wiki'), KEY: KEY.value }),
    await standby('nobody', ['x'], { KEY: KEY.value }),
  ]
  for (const seen of leaks) expect(toldInEnvironments(seen, finder, ownOf, () => [])).toHaveLength(1)
  const own = await standby('own', ['x'], { ...homeOf('shop'), KEY: KEY.value, AFTER: '1' })
  expect(toldInEnvironments(own, finder, ownOf, () => [])).toEqual([])
})

test('a secret file that stays after its application is found, by the path its service was given', async () => {
  const file = join(folder, 'key')
  await writeFile(file, KEY.value)
  const seen = await standby('file', ['x'], { ...homeOf('shop'), KEY_FILE: file })
  const left = () => secretFilesOf(seen, 'shop', 'KEY_FILE').filter((path) => existsSync(path))
  expect(left()).toEqual([file])
  expect(secretFilesOf(seen, 'wiki', 'KEY_FILE')).toEqual([])
  await rm(file)
  expect(left()).toEqual([])
})

test('a secret in a file of the state folder is found, in whatever form it was written', async () => {
  const state = join(folder, 'state')
  await mkdir(join(state, 'logs/shop'), { recursive: true })
  await mkdir(join(state, 'logs/jobs/shop.tidy'), { recursive: true })
  const basic = Buffer.from(`user:${KEY.value}`).toString('base64')
  await writeFile(join(state, 'facts.json'), JSON.stringify({ url: `Basic ${basic}` }))
  await writeFile(join(state, 'logs/jobs/shop.tidy/run.log'), KEY.value)
  await writeFile(join(state, 'logs/shop/web.log'), KEY.value)
  expect((await canariesInState(state, finder, ownOf)).toSorted()).toEqual([
    `facts.json: ${KEY.name}`,
    `logs/jobs/shop.tidy/run.log: ${KEY.name}`,
  ])
})
