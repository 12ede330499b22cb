import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Secret } from '@caretaker/kernel/secrets.ts'
import { describeProcesses } from '@caretaker/ports/conformance/processes.ts'
import { waitUntil } from '@caretaker/ports/deadline.ts'
import type { ProcessIdentity } from '@caretaker/ports/process.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createClock } from './clock.ts'
import { readStat } from './proc.ts'
import { createProcesses } from './processes.ts'

const PATH = '/usr/local/bin:/usr/bin:/bin'
const NODE = process.execPath
const processes = createProcesses()
const starters: ChildProcess[] = []
let folder: string
let appliance: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'caretaker-processes-'))
  appliance = `test-${Math.random().toString(36).slice(2)}`
})
afterEach(async () => {
  for (const starter of starters.splice(0)) starter.kill('SIGKILL')
  for (const { identity } of await processes.findByLabel(appliance))
    await processes.signal(identity, 'SIGKILL')
  rmSync(folder, { recursive: true })
})

describeProcesses('the machine', async () => {
  const here = mkdtempSync(join(tmpdir(), 'caretaker-processes-'))
  return {
    processes: createProcesses(),
    folder: here,
    sleeper: { file: '/bin/sleep', args: ['1000'] },
    succeeds: { file: '/bin/echo', args: ['hello'] },
    fails: { file: '/bin/sh', args: ['-c', 'echo reason >&2; exit 3'] },
    missing: { file: 'no-such-program', args: [] },
    cleanUp: async () => rmSync(here, { recursive: true }),
  }
})

describe('run', () => {
  it('passes exactly the environment of the command, secrets revealed', async () => {
    process.env['CARETAKER_TEST_INHERITED'] = 'yes'
    const env = { PATH, PASSWORD: new Secret('password', 'correct horse') }
    const result = await processes.run({ file: 'env', args: [], env })
    delete process.env['CARETAKER_TEST_INHERITED']
    expect(result.stdout.trim().split('\n').toSorted()).toEqual(['PASSWORD=correct horse', `PATH=${PATH}`])
  })

  it('hands over input, hands on lines, and keeps outputs apart', async () => {
    const lines: string[] = []
    const script = 'cat; echo to-error >&2; printf "no end"'
    const command = { file: '/bin/sh', args: ['-c', script], env: { PATH }, input: 'één\ntwo\n' }
    const result = await processes.run({ ...command, onLine: (line) => lines.push(line) })
    expect(result).toMatchObject({
      exitCode: 0,
      signal: undefined,
      stdout: 'één\ntwo\nno end',
      stderr: 'to-error\n',
    })
    expect(lines.toSorted()).toEqual(['no end', 'to-error', 'two', 'één'])
  })

  it('survives a program that ends without reading its input', async () => {
    const result = await processes.run({ file: '/bin/true', args: [], input: 'x'.repeat(1_000_000) })
    expect(result.exitCode).toBe(0)
  })

  it('keeps the last MiB of an output', async () => {
    const script = 'process.stdout.write("ä".repeat(2_000_000) + "END")'
    const { stdout } = await processes.run({ file: NODE, args: ['-e', script] })
    expect(Buffer.byteLength(stdout)).toBeGreaterThan(1024 * 1024 - 4)
    expect(Buffer.byteLength(stdout)).toBeLessThanOrEqual(1024 * 1024)
    expect(stdout).toMatch(/^ä+END$/)
  })

  it('kills the whole group after the time, also what ignores the polite signal', async () => {
    const pidFile = join(folder, 'pid')
    const script = `trap "" TERM; sleep 1000 & echo $! > ${pidFile}; sleep 1000`
    const command = { file: '/bin/sh', args: ['-c', script], env: { PATH }, timeoutMs: 300 }
    const result = await processes.run(command)
    expect(result).toMatchObject({ timedOut: true, exitCode: undefined, signal: 'SIGKILL' })
    await expectGone(Number(readFileSync(pidFile, 'utf8')))
  })

  it('kills the whole group when cancelled', async () => {
    const pidFile = join(folder, 'pid')
    const controller = new AbortController()
    const script = `sleep 1000 & echo $! > ${pidFile}.tmp; mv ${pidFile}.tmp ${pidFile}; sleep 1000`
    const running = processes.run({ file: '/bin/sh', args: ['-c', script], env: { PATH } }, controller.signal)
    const refused = expect(running).rejects.toMatchObject({ code: 'CANCELLED' })
    await until(async () => existsSync(pidFile) || undefined)
    controller.abort()
    await refused
    await expectGone(Number(readFileSync(pidFile, 'utf8')))
    await expect(processes.run({ file: 'true', args: [] }, controller.signal)).rejects.toMatchObject({
      code: 'CANCELLED',
    })
  })

  it('says which working folder is missing instead of blaming the program', async () => {
    const running = processes.run({ file: '/bin/true', args: [], cwd: join(folder, 'none') })
    await expect(running).rejects.toThrow(/working folder .*none/)
  })

  it.runIf(process.getuid?.() === 0)('runs as another user, without the groups of root', async () => {
    const owner = { uid: 65534, gid: 65533 }
    const result = await processes.run({ file: 'id', args: [], env: { PATH }, owner })
    expect(result.stdout).toMatch(/^uid=65534\S* gid=65533\S* groups=65533\S*\n$/)
  })
})

describe('start', () => {
  it('appends both outputs to the log, readable by the group', async () => {
    for (const word of ['one', 'two']) {
      const identity = await startShell(`echo ${word}; echo ${word} >&2`)
      expect(await processes.waitForExit(identity)).toEqual({ exitCode: 0, signal: undefined })
    }
    expect(readFileSync(join(folder, 'log'), 'utf8')).toBe('one\none\ntwo\ntwo\n')
    expect(statSync(join(folder, 'log')).mode & 0o777).toBe(0o640)
  })

  it('kills grandchildren with the group', async () => {
    const pidFile = join(folder, 'pid')
    const identity = await startShell(
      `sleep 1000 & echo $! > ${pidFile}.tmp; mv ${pidFile}.tmp ${pidFile}; wait`,
    )
    await until(async () => existsSync(pidFile) || undefined)
    const grandchild = Number(readFileSync(pidFile, 'utf8'))
    const pids = (await processes.findByLabel(appliance)).map((found) => found.identity.pid)
    expect(new Set(pids)).toEqual(new Set([identity.pid, grandchild]))
    await processes.signal(identity, 'SIGTERM')
    expect(await processes.waitForExit(identity)).toEqual({ exitCode: undefined, signal: 'SIGTERM' })
    await expectGone(grandchild)
  })

  it('does not signal another process that got the same pid', async () => {
    const identity = await startShell('exec sleep 1000')
    const earlier = { ...identity, startTicks: identity.startTicks - 1 }
    const otherBoot = { ...identity, bootId: 'another' }
    for (const stranger of [earlier, otherBoot]) {
      expect(await processes.isAlive(stranger)).toBe(false)
      await processes.signal(stranger, 'SIGKILL')
      expect(await processes.waitForExit(stranger)).toEqual({ exitCode: undefined, signal: undefined })
    }
    expect(await processes.isAlive(identity)).toBe(true)
  })

  it('survives the death of its starter, and another process finds it and sees it end', async () => {
    const starter = startInOtherProcess()
    const [printed] = (await once(starter.stdout as NonNullable<ChildProcess['stdout']>, 'data')) as [Buffer]
    const identity = JSON.parse(printed.toString()) as ProcessIdentity
    starter.kill('SIGKILL')
    await once(starter, 'exit')

    expect(await processes.isAlive(identity)).toBe(true)
    const label = { appliance, app: 'guestbook', service: 'web' }
    expect(await processes.findByLabel(appliance)).toEqual([{ identity, label }])
    expect(await processes.findByLabel('somebody-else')).toEqual([])
    const ended = processes.waitForExit(identity)
    await processes.signal(identity, 'SIGKILL')
    expect(await ended).toEqual({ exitCode: undefined, signal: undefined })
    expect(await processes.isAlive(identity)).toBe(false)
  })

  it('does not keep its starter from ending', async () => {
    const starter = startInOtherProcess('')
    const [code] = await once(starter, 'exit')
    expect(code).toBe(0)
    expect(await processes.findByLabel(appliance)).toHaveLength(1)
  })

  function startShell(script: string): Promise<ProcessIdentity> {
    return processes.start({
      file: '/bin/sh',
      args: ['-c', script],
      env: { PATH },
      logFile: join(folder, 'log'),
      label: { appliance, app: 'guestbook', service: 'web' },
    })
  }

  function startInOtherProcess(afterwards = 'setInterval(() => {}, 1000)'): ChildProcess {
    const command = {
      file: '/bin/sleep',
      args: ['1000'],
      logFile: join(folder, 'log'),
      label: { appliance, app: 'guestbook', service: 'web' },
    }
    const script = `
      import { createProcesses } from ${JSON.stringify(new URL('./processes.ts', import.meta.url).href)}
      console.log(JSON.stringify(await createProcesses().start(${JSON.stringify(command)})))
      ${afterwards}`
    const starter = spawn(NODE, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    starters.push(starter)
    return starter
  }
})

async function until<T>(probe: () => Promise<T | undefined>): Promise<T> {
  const value = await waitUntil(createClock(), { timeoutMs: 60_000 }, probe)
  if (value === undefined) throw new Error('did not happen within 60 s')
  return value
}

/** Gone or a zombie: who collects it is not our matter. */
async function expectGone(pid: number): Promise<void> {
  await until(async () => ['Z', 'X', undefined].includes(readStat(pid)?.state) || undefined)
}

describe('a program that starts the one that is meant', () => {
  const forking = (words: readonly string[], label = 'web') => ({
    file: '/usr/bin/setsid',
    args: ['--fork', '--wait', ...words],
    env: { PATH },
    logFile: join(folder, 'log'),
    label: { appliance, app: 'shop', service: label },
    forks: true,
  })

  it('is not taken for it: the child is known, and how it ended', async () => {
    const sleeper = await processes.start(forking(['/bin/sleep', '600']))
    expect(readFileSync(`/proc/${sleeper.pid}/stat`, 'utf8')).toMatch(/\((sleep|setsid)\)/)
    const parent = readStat(sleeper.pid)?.parentPid ?? 0
    expect(readStat(parent)?.name).toBe('setsid')
    await processes.signal(sleeper, 'SIGTERM')
    await processes.waitForExit(sleeper)
    expect(await processes.isAlive(sleeper)).toBe(false)

    const end = join(folder, 'end')
    const program = `setInterval(() => require('node:fs').existsSync(${JSON.stringify(end)}) && process.exit(7), 20)`
    const failing = await processes.start(forking([NODE, '-e', program]))
    const exit = processes.waitForExit(failing)
    expect(await processes.isAlive(failing)).toBe(true)
    writeFileSync(end, '')
    expect((await exit).exitCode).toBe(7)
  })
})
