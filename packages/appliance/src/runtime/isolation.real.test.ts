import { randomBytes } from 'node:crypto'
import { chmod, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Secret } from '@caretaker/kernel/secrets.ts'
import { waitUntil } from '@caretaker/ports/deadline.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { describeRuntime } from './conformance.ts'
import { DEFAULT_STOP } from './defaults.ts'
import { createProcessRuntime } from './process-runtime.ts'
import type { ServiceSpec } from './runtime.ts'
import { type IsolatedWorld, makeIsolatedWorld } from './testing/isolated.fixture.ts'

describeRuntime('process, isolated', { keepsRecords: true, orphansLive: true }, makeIsolatedWorld)

describe('a service of a clone', () => {
  let world: IsolatedWorld
  const servers: Server[] = []
  beforeEach(async () => {
    world = await makeIsolatedWorld()
  })
  afterEach(async () => {
    for (const server of servers.splice(0)) server.close()
    await world.cleanUp()
  })

  const spec = (change: Partial<ServiceSpec> = {}): ServiceSpec => ({
    app: 'shop',
    service: 'web',
    releaseId: '1-abc',
    command: [world.node, '-e', 'setInterval(() => {}, 1000)'],
    cwd: world.folder,
    env: { PATH: '/usr/bin:/bin' },
    owner: world.owner,
    logFile: join(world.folder, 'logs', 'web.log'),
    stop: DEFAULT_STOP,
    health: undefined,
    restart: 'always',
    isolation: world.isolation,
    ...change,
  })

  /** What a script says that runs inside. */
  async function inside(script: string, env: ServiceSpec['env'] = {}): Promise<string> {
    const lines = `const tell = (text) => console.log(text); ${script}`
    const result = await world.runtime.runOnce(
      spec({ env: { ...spec().env, ...env } }),
      [world.node, '-e', lines],
      { timeoutMs: 60_000 },
      new AbortController().signal,
    )
    expect(result.stderr).toBe('')
    return result.stdout.trim()
  }

  async function listen(text: string, host = '127.0.0.1'): Promise<number> {
    const server = createServer((_request, response) => response.end(text))
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, host, resolve))
    return (server.address() as AddressInfo).port
  }

  const CONNECT = `const connect = (options) => new Promise((resolve) => {
    const socket = require('node:net').connect(options, () => { resolve('connected'); socket.destroy() })
    socket.on('error', (error) => resolve(error.code)).setTimeout(5000, () => resolve('silence'))
  });`

  it('reaches neither the outside nor a program of this machine', async () => {
    const port = await listen('production')
    // Documentation addresses (RFC 5737, RFC 3849): should they be reached after all, nobody is there.
    const reached = await inside(`${CONNECT} (async () => {
      tell(await connect({ host: '127.0.0.1', port: ${port} }))
      tell(await connect({ host: '192.0.2.1', port: 80 }))
      tell(await connect({ host: '2001:db8::1', port: 80 }))
      require('node:dns').lookup('example.org', (error) => tell(error ? 'no name' : 'a name'))
      tell(Object.keys(require('node:os').networkInterfaces()).join())
    })()`)
    expect(reached.split('\n').toSorted()).toEqual(
      ['ECONNREFUSED', 'ENETUNREACH', 'ENETUNREACH', 'lo', 'no name'].toSorted(),
    )
  })

  it('reaches no unix socket of this machine, by its path or by its abstract name', async () => {
    const name = `caretaker-${randomBytes(6).toString('hex')}`
    const path = join(world.hidden, 'production.sock')
    for (const at of [path, `\0${name}`]) {
      const server = createServer()
      servers.push(server)
      await new Promise<void>((resolve) => server.listen(at, resolve))
    }
    await chmod(path, 0o777)
    const reached = await inside(
      `${CONNECT} (async () => {
      tell(await connect({ path: process.env.SOCKET }))
      tell(await connect({ path: '\\0${name}' }))
    })()`,
      { SOCKET: path },
    )
    expect(reached.split('\n')).toEqual(['ENOENT', 'ECONNREFUSED'])
  })

  it('sees of hidden folders what is shown, and changes only what it may', async () => {
    await writeFile(join(world.hidden, 'secret'), 'of production', { mode: 0o644 })
    await writeFile(join(world.readOnly, 'release'), 'code', { mode: 0o644 })
    const seen = await inside(
      `const fs = require('node:fs'); const { HIDDEN, SHOWN, OWN } = process.env
      const attempt = (work) => { try { tell(work() ?? 'done') } catch (error) { tell(error.code) } }
      attempt(() => fs.readFileSync(HIDDEN + '/secret', 'utf8'))
      attempt(() => fs.readFileSync(SHOWN + '/release', 'utf8'))
      attempt(() => fs.writeFileSync(SHOWN + '/other', 'x'))
      attempt(() => fs.mkdirSync('/run/other'))
      attempt(() => fs.writeFileSync(OWN + '/own', 'x'))
      attempt(() => fs.writeFileSync('/tmp/scratch', 'x'))
      attempt(() => fs.readdirSync('/run').concat(fs.readdirSync('/dev/shm')).join() || 'nothing')`,
      { HIDDEN: world.hidden, SHOWN: world.readOnly, OWN: world.folder },
    )
    // Root's empty folder is not this user's, in which case that is said first.
    const told = seen.replace('EACCES', 'EROFS').split('\n')
    expect(told).toEqual(['ENOENT', 'code', 'EROFS', 'EROFS', 'done', 'done', 'nothing'])
    expect(await world.readText(join(world.folder, 'own'))).toBe('x')
  })

  it('sees no process of this machine, and ends none', async () => {
    const canary = randomBytes(8).toString('hex')
    await world.ports.processes.start({
      file: '/bin/sleep',
      args: ['600'],
      env: { CANARY: new Secret('canary', canary) },
      ...(world.owner ? { owner: world.owner } : {}),
      logFile: join(world.folder, 'sleep.log'),
      label: { appliance: 'production', app: 'shop', service: 'web' },
    })
    const [production] = await world.ports.processes.findByLabel('production')
    if (!production) throw new Error('production does not run')
    try {
      const told = await inside(`const fs = require('node:fs')
        const pids = fs.readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name))
        const read = (pid) => { try { return fs.readFileSync('/proc/' + pid + '/environ', 'utf8') } catch { return '' } }
        tell(pids.some((pid) => read(pid).includes('${canary}')))
        tell(pids.length < 20)
        try { process.kill(${production.identity.pid}, 'SIGKILL') } catch (error) { tell(error.code) }`)
      expect(told.split('\n')).toEqual(['false', 'true', 'ESRCH'])
      expect(await world.ports.processes.isAlive(production.identity)).toBe(true)
    } finally {
      await world.ports.processes.signal(production.identity, 'SIGKILL')
    }
  })

  it('has no rights with which it could undo this', async () => {
    const told = await inside(
      `const fs = require('node:fs')
      const status = fs.readFileSync('/proc/self/status', 'utf8')
      for (const name of ['CapEff', 'CapPrm', 'NoNewPrivs']) tell(new RegExp(name + ':\\\\s*(\\\\w+)').exec(status)[1])
      tell(process.getuid()); tell(process.getgroups().length)
      const run = (file, ...args) => tell(require('node:child_process').spawnSync(file, args).status === 0)
      run('umount', process.env.HIDDEN_BASE); run('nsenter', '--target', '1', '--mount', 'true')
      run('unshare', '--user', '--map-root-user', '--mount', 'umount', process.env.HIDDEN_BASE)`,
      { HIDDEN_BASE: join(world.hidden, '..') },
    )
    const uid = world.owner?.uid ?? process.getuid?.()
    const [effective, permitted, noNew, asUser, , ...escapes] = told.split('\n')
    expect([effective, permitted].map((caps) => Number.parseInt(caps ?? '1', 16))).toEqual([0, 0])
    expect([noNew, asUser]).toEqual(['1', `${uid}`])
    expect(escapes).toEqual(['false', 'false', 'false'])
  })

  it('is reached by this machine at its port, and by the other services of its clone', async () => {
    const port = await world.ports.network.freePort()
    const serve = (text: string, at: number): readonly [string, ...string[]] => [
      world.node,
      '-e',
      `require('node:http').createServer((q, s) => s.end('${text} ' + 'x'.repeat(500000))).listen(${at}, '127.0.0.1')`,
    ]
    const isolation = { ...world.isolation, ports: [port] }
    await world.runtime.start(spec({ command: serve('web', port), isolation }))
    const ask = async () => {
      const url = `http://127.0.0.1:${port}/`
      return world.ports.network.request({ url, timeoutMs: 5000 }).catch(() => undefined)
    }
    const answer = await waitUntil(world.ports.clock, { timeoutMs: 120_000 }, ask)
    expect(answer?.body).toMatch(/^web x{500000}$/)
    expect(await world.ports.network.listenerUids(port)).toEqual([world.owner?.uid ?? process.getuid?.()])
    const answers = await Promise.all(Array.from({ length: 50 }, ask))
    expect(answers.filter((each) => each?.status === 200)).toHaveLength(50)
    const other = await inside(
      `fetch('http://127.0.0.1:${port}').then(async (r) => tell((await r.text()).slice(0, 3)))`,
    )
    expect(other).toBe('web')

    await world.runtime.start(spec({ service: 'worker' }))
    await world.runtime.stop('shop', 'web')
    expect(await world.ports.network.canListen('127.0.0.1', port)).toBe('yes')
  })

  it('leaves nothing behind after the last service has ended', async () => {
    await world.runtime.start(spec())
    await world.runtime.start(spec({ service: 'worker' }))
    await world.runtime.stop('shop', 'web')
    expect(await world.runtime.status('shop', 'worker')).toMatchObject({ state: 'running' })
    await world.runtime.stop('shop', 'worker')
    expect(await world.everything()).toEqual([])
    await inside('tell(1)')
    expect(await world.everything()).toEqual([])
  })

  it('ends with what keeps it in, and is started again in a new place', async () => {
    await world.runtime.start(spec())
    const [keeper] = await world.everything()
    const before = await world.runtime.status('shop', 'web')
    const members = await world.ports.processes.findByLabel(await applianceOf(world))
    for (const { identity, label } of members) {
      if (label.service === 'cell@' && identity.pid === keeper) process.kill(identity.pid, 'SIGKILL')
    }
    const ended = await waitUntil(world.ports.clock, { timeoutMs: 120_000 }, async () =>
      (await world.next.status('shop', 'web'))?.state === 'ended' ? true : undefined,
    )
    expect(ended).toBe(true)
    await world.next.start(spec())
    const after = await world.next.status('shop', 'web')
    expect(after).toMatchObject({ state: 'running', specHash: before?.specHash })
    await world.next.stop('shop', 'web')
    expect(await world.everything()).toEqual([])
  })

  it('is not started where the machine does not allow what keeps it in', async () => {
    const refusing = createProcessRuntime(world.ports, {
      applianceId: 'refused',
      folder: join(world.folder, 'records'),
      pid: process.pid,
      cells: { program: ['/bin/sh', '-c', 'echo unshare failed; exit 1'], runFolder: world.folder },
    })
    await expect(refusing.start(spec())).rejects.toMatchObject({
      code: 'CLONE_NOT_ISOLATED',
      why: expect.stringContaining('unshare failed'),
    })
    expect(await refusing.list()).toEqual([])
    expect(await world.everything()).toEqual([])
  })
})

async function applianceOf(world: IsolatedWorld): Promise<string> {
  const [pid] = await world.everything()
  const text = (await world.ports.files.readText(`/proc/${pid}/environ`)) ?? ''
  return /CARETAKER_LABEL=([^/]+)/.exec(text)?.[1] ?? ''
}
