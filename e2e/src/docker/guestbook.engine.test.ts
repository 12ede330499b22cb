import { execFileSync, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestEngine } from '@caretaker/appliance/runtime/docker/testing/engine.fixture.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type DaemonProcess, ROOT, type StatusDocument, type TestAppliance } from '../support/appliance.ts'
import { entriesOf, signOver, unique } from '../support/guestbook-https.ts'
import { eventually } from '../support/observe.ts'
import { dockerAppliance, engineWithImages } from './docker-appliance.ts'

let engine: TestEngine
let appliance: TestAppliance
let daemon: DaemonProcess
beforeAll(async () => {
  engine = await engineWithImages()
  appliance = await dockerAppliance(engine)
  await appliance.ok('app', 'add', 'guestbook', join(ROOT, 'examples/guestbook'), '--host', 'localhost')
  daemon = await appliance.daemon()
})
afterAll(async () => {
  await appliance?.[Symbol.asyncDispose]()
  await engine?.[Symbol.asyncDispose]()
})

const states = async () =>
  (await appliance.json<StatusDocument>('status')).apps[0]?.services.map(
    ({ service, state }) => `${service} ${state}`,
  )
const ALL = ['postgres running', 'web running', 'worker running']

async function sign(): Promise<string> {
  const message = unique('kept')
  const reply = await signOver(appliance, { name: 'Ada', message }, { name: 'a.txt', bytes: message })
  expect(reply.status).toBe(303)
  return message
}

const filesFolder = () => join(appliance.state, 'data/units/guestbook/current/files/files')

const messages = async () => (await entriesOf(appliance)).map((entry) => entry.message)

/** What the engine knows of all our containers. */
function inspected(): readonly Inspected[] {
  const ids = engine.run('ps', '-aq', '--no-trunc').split('\n').filter(Boolean)
  return JSON.parse(engine.run('inspect', ...ids)) as Inspected[]
}

interface Inspected {
  readonly Name: string
  readonly State: { readonly Pid: number }
  readonly HostConfig: { readonly PortBindings: object | null; readonly Privileged: boolean }
  readonly NetworkSettings: { readonly Networks: Readonly<Record<string, { readonly IPAddress: string }>> }
}

const containerOf = (service: string) => {
  const found = inspected().find(({ Name }) => Name.endsWith(`-guestbook-${service}`))
  if (!found) throw new Error(`no container of ${service}`)
  return found
}
const addressOf = (service: string) =>
  Object.values(containerOf(service).NetworkSettings.Networks)[0]?.IPAddress ?? ''

describe('guestbook in containers', () => {
  test('is built, started with its Postgres and served; a second up does nothing', async () => {
    expect(await states()).toEqual(ALL)
    const message = await sign()
    expect(await messages()).toContain(message)
    expect((await appliance.ok('up')).stdout).toMatch(/nothing/i)
    // What a Postgres of another test leaves behind when it is killed is gone in a moment.
    await eventually('nothing is wrong', async () => {
      const { stdout } = await appliance.run('doctor')
      if (/INTERNAL|ENGINE|POSTGRES|SERVICE_|LEFTOVER/.test(stdout)) throw new Error(stdout)
      return true
    })
  })

  test('its logs, commands, jobs and restart work as without containers', async () => {
    const logs = await appliance.ok('logs', 'guestbook', 'web')
    expect(logs.stdout).toMatch(/guestbook release 1 listens on 0\.0\.0\.0:3000/)
    expect((await appliance.ok('logs', 'guestbook', 'postgres')).stdout).toContain(
      'ready to accept connections',
    )
    const counted = await appliance.ok('app', 'exec', 'guestbook', '--', 'count')
    expect(counted.stdout).toMatch(/"entries":\s*[1-9]/)
    const failed = await appliance.run('app', 'exec', 'guestbook', '--', 'node', '-e', 'process.exit(7)')
    expect(failed.stderr).toContain('7')
    await appliance.ok('job', 'run', 'guestbook.tidy')
    await appliance.ok('app', 'restart', 'guestbook')
    expect(await states()).toEqual(ALL)
    expect((await appliance.ok('logs', 'guestbook', 'web', '--lines', '200')).stdout).toMatch(
      /finishing what is open[\s\S]*listens on/,
    )
    expect(engine.run('ps', '-aq', '--filter', 'label=caretaker.once').trim()).toBe('')
  })

  test('no secret is in what the engine keeps, in a command line, a log or a file outside its places', async () => {
    const { Pid } = containerOf('web').State
    const environment = readFileSync(`/proc/${Pid}/environ`, 'utf8').split('\0')
    const password = environment.find((entry) => entry.startsWith('PGPASSWORD='))?.slice('PGPASSWORD='.length)
    const key = readFileSync(`/proc/${Pid}/root/run/secrets/session_key`, 'utf8')
    expect(password?.length).toBeGreaterThan(20)
    expect(key.length).toBeGreaterThan(15)
    const canaries = [password as string, key]
    const ids = engine.run('ps', '-aq').split('\n').filter(Boolean)
    const holds = (text: string) => canaries.some((canary) => text.includes(canary))
    expect(holds(engine.run('inspect', ...ids))).toBe(false)
    expect(holds((await appliance.ok('logs', '--lines', '1000')).stdout)).toBe(false)
    // Whoever is in a container of the application may have them; nobody else.
    const inside = new Set(inspected().map(({ State }) => mountsOf(String(State.Pid))))
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      expect([pid, holds(read(`/proc/${pid}/cmdline`))]).toEqual([pid, false])
      if (!inside.has(mountsOf(pid))) expect([pid, holds(read(`/proc/${pid}/environ`))]).toEqual([pid, false])
    }
    // The first proves that the search finds what is there.
    expect(filesWith(canaries, `/proc/${Pid}/root/run`)).not.toEqual([])
    expect(filesWith(canaries, join(engine.folder, 'data/containers'))).toEqual([])
    expect(filesWith(canaries, appliance.state)).toEqual([])
  })

  test('nothing of it is published, and nobody outside reaches it even by a route', async () => {
    for (const { HostConfig } of inspected()) {
      expect(Object.keys(HostConfig.PortBindings ?? {})).toEqual([])
      expect(HostConfig.Privileged).toBe(false)
    }
    const outside = outsider()
    try {
      // The machine itself forwards, as machines do that are routers or run other containers.
      expect(outside.reaches(outside.machine, 22_222)).toBe('refused')
      expect(outside.reaches(addressOf('web'), 3000)).toBe('no answer')
      expect(outside.reaches(addressOf('postgres'), 5432)).toBe('no answer')
    } finally {
      outside.end()
    }
  })

  test('Postgres lets the application into its own database, over the network of the application only', async () => {
    const ask = (user: string) =>
      spawnSync('psql', ['-h', addressOf('postgres'), '-U', user, '-w', '-c', 'select 1', 'guestbook'], {
        encoding: 'utf8',
        env: { PATH: '/usr/bin:/bin' },
      }).stderr
    expect(ask('guestbook')).toMatch(/no password supplied/)
    expect(ask('caretaker')).toMatch(/no pg_hba.conf entry/)
  })

  test.each(['web', 'worker', 'postgres'])(
    'killed with SIGKILL, %s is up again by itself',
    async (service) => {
      const message = await sign()
      const { Pid } = containerOf(service).State
      process.kill(Pid, 'SIGKILL')
      await eventually('another one serves', async () => {
        if (containerOf(service).State.Pid === Pid) return false
        return (await states())?.join() === ALL.join() && (await messages()).includes(message)
      })
    },
  )

  test('with containerd and dockerd killed, the reason is said, and all of it serves again by itself', async () => {
    const message = await sign()
    await engine.kill('containerd')
    await engine.kill('dockerd')
    const status = await appliance.json<StatusDocument>('status')
    expect(status.parts.map(({ code }) => code)).toContain('ENGINE_UNREACHABLE')
    expect((await appliance.run('doctor')).stdout).toContain('ENGINE_UNREACHABLE')
    expect(status.parts.find(({ code }) => code === 'ENGINE_UNREACHABLE')?.next).toContain(
      'systemctl start docker',
    )
    await engine.restart()
    await eventually('it serves again', async () => {
      if ((await states())?.join() !== ALL.join()) return false
      return (await appliance.request('/health')).status === 200 && (await messages()).includes(message)
    })
    await eventually('the reason is gone', async () =>
      (await appliance.json<StatusDocument>('status')).parts.every(
        ({ code }) => code !== 'ENGINE_UNREACHABLE',
      ),
    )
  })

  test('with live-restore it goes on while the engine is away, and is known again by the next one', async () => {
    const isUp = async () =>
      (await states())?.join() === ALL.join() && (await appliance.request('/health')).status === 200
    await engine.kill('dockerd')
    await engine.restart('--live-restore')
    await eventually('it serves with live-restore', isUp)
    const before = containerOf('web').State.Pid
    const message = await sign()
    await engine.kill('dockerd')
    expect(await messages()).toContain(message)
    await engine.restart('--live-restore')
    await eventually('it is known again', isUp)
    expect(containerOf('web').State.Pid).toBe(before)
    expect(await messages()).toContain(message)
    // Volumes of the engine are still folders of ours in containers that it makes from then on.
    const count = async () => (await readdir(filesFolder())).length
    const files = await count()
    await appliance.ok('app', 'restart', 'guestbook')
    await sign()
    expect(await count()).toBe(files + 1)
    // It counts mounts wrongly after this, and would refuse to remove volumes until it is started anew.
    await engine.kill('dockerd')
    await engine.restart()
    await eventually('it serves without live-restore', isUp)
  })

  test('removed with its containers and volumes, it leaves its data, which the next one finds', async () => {
    const message = await sign()
    await appliance.ok('app', 'remove', 'guestbook')
    expect(engine.run('ps', '-aq').trim()).toBe('')
    const volumes = engine.run('volume', 'ls', '-q').split('\n').filter(Boolean)
    if (volumes.length > 0) engine.run('volume', 'rm', ...volumes)
    expect((await readdir(filesFolder())).length).toBeGreaterThan(0)
    await appliance.ok('app', 'add', 'guestbook', join(ROOT, 'examples/guestbook'), '--host', 'localhost')
    expect(await messages()).toContain(message)
    await appliance.ok('down')
    expect(engine.run('ps', '-aq').trim()).toBe('')
    await daemon.stop()
  })
})

/** Empty for what has gone or is not ours to read. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** The mount namespace of a process: that of its container, also for a check of its health that has just begun. */
function mountsOf(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`)
  } catch {
    return ''
  }
}

function filesWith(texts: readonly string[], folder: string): readonly string[] {
  const patterns = texts.flatMap((text) => ['-e', text])
  const { stdout } = spawnSync('grep', ['-rlaF', '--devices=skip', ...patterns, folder], { encoding: 'utf8' })
  return stdout.split('\n').filter(Boolean)
}

/** Somebody on a network of this machine, who sends everything through it. */
function outsider() {
  const name = `ct-out-${process.pid}`
  const ip = (...words: readonly string[]) => execFileSync('ip', words)
  ip('netns', 'add', name)
  ip('link', 'add', 'ct-out-a', 'type', 'veth', 'peer', 'name', 'ct-out-b')
  ip('link', 'set', 'ct-out-b', 'netns', name)
  ip('address', 'add', '10.199.77.1/24', 'dev', 'ct-out-a')
  ip('link', 'set', 'ct-out-a', 'up')
  ip('-n', name, 'address', 'add', '10.199.77.2/24', 'dev', 'ct-out-b')
  ip('-n', name, 'link', 'set', 'ct-out-b', 'up')
  ip('-n', name, 'route', 'add', 'default', 'via', '10.199.77.1')
  const forward = execFileSync('iptables', ['-w', '-S', 'FORWARD'], { encoding: 'utf8' })
  execFileSync('iptables', ['-w', '-P', 'FORWARD', 'ACCEPT'])
  return {
    machine: '10.199.77.1',
    reaches(host: string, port: number): 'answer' | 'refused' | 'no answer' {
      const program = `require('node:net').connect(${port}, '${host}')
        .on('connect', () => process.exit(0)).on('error', () => process.exit(1)).setTimeout(3000, () => process.exit(2))`
      const { status } = spawnSync('ip', ['netns', 'exec', name, process.execPath, '-e', program])
      return status === 0 ? 'answer' : status === 1 ? 'refused' : 'no answer'
    },
    end() {
      ip('netns', 'delete', name)
      const policy = /^-P FORWARD (\w+)$/m.exec(forward)?.[1] ?? 'ACCEPT'
      execFileSync('iptables', ['-w', '-P', 'FORWARD', policy])
    },
  }
}
