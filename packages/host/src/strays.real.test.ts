import { type ChildProcess, spawn } from 'node:child_process'
import { afterEach, expect, it } from 'vitest'
import { createProcesses } from './processes.ts'

/** A user nobody else has processes of. */
const UID = 64_321
const isRoot = process.getuid?.() === 0
const uid = isRoot ? UID : (process.getuid?.() ?? 0)
const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

it('finds what a service has left behind without its label, and not what it still has', async () => {
  const script = `const {spawn} = require('node:child_process')
    const start = (env) => spawn('/bin/sleep', ['60'], {env, stdio: 'ignore', detached: true}).pid
    console.log(start({}) + ' ' + start(process.env)); setInterval(() => {}, 1000)`
  const parent = spawn(process.execPath, ['-e', script], {
    env: { CARETAKER_LABEL: 'id/shop/web' },
    stdio: ['ignore', 'pipe', 'inherit'],
    ...(isRoot ? { uid } : {}),
  })
  children.push(parent)
  const text = await new Promise<Buffer>((resolve) => parent.stdout?.once('data', resolve))
  const [bare = 0, labelled = 0] = String(text).split(' ').map(Number)
  try {
    const pids = async () => (await createProcesses().findStrays(uid)).map(({ identity }) => identity.pid)
    expect(await pids()).not.toContain(bare)
    const ended = new Promise((resolve) => parent.once('exit', resolve))
    parent.kill('SIGKILL')
    await ended
    const found = await createProcesses().findStrays(uid)
    expect(found.find(({ identity }) => identity.pid === bare)?.name).toBe('sleep')
    expect(await pids()).not.toContain(labelled)
    if (isRoot) expect(await pids()).toEqual([bare])
  } finally {
    for (const pid of [bare, labelled]) process.kill(pid, 'SIGKILL')
  }
})
