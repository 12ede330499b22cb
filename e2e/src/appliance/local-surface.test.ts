import { execFile } from 'node:child_process'
import { readdir, readFile, readlink, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type GuestbookAppliance, guestbookAppliance } from '../support/guestbook-appliance.ts'
import { isRoot } from '../support/people.ts'

const run = promisify(execFile)
/** The user `nobody`, as on every Linux. */
const NOBODY = 65_534

let bench: GuestbookAppliance
let daemonPid: number
let pids: readonly number[]
beforeAll(async () => {
  bench = await guestbookAppliance()
  daemonPid = (await bench.appliance.daemon()).pid
  pids = await family([daemonPid, ...Object.values(await bench.appliance.pids())])
})
afterAll(() => bench?.[Symbol.asyncDispose]())

/** These processes, all that carry the label of the appliance, and their children. */
async function family(roots: readonly number[]): Promise<readonly number[]> {
  const all = new Set(roots)
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  for (const name of names) {
    const command = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')
    if (command.includes(bench.appliance.state)) all.add(Number(name))
  }
  for (let grown = true; grown; ) {
    grown = false
    for (const name of names) {
      const parent = Number(
        /\) \S (\d+)/.exec(await readFile(`/proc/${name}/stat`, 'utf8').catch(() => ''))?.[1],
      )
      if (!all.has(parent) || all.has(Number(name))) continue
      all.add(Number(name))
      grown = true
    }
  }
  return [...all]
}

interface Listening {
  readonly pid: number
  /** `127.0.0.1:8443`, or the path of a unix socket. */
  readonly at: string
}

/** Every socket that one of these processes listens on: proc_net_tcp(5) state 0A, unix sockets with the accept flag. */
async function listeningOf(wanted: readonly number[]): Promise<readonly Listening[]> {
  const owners = new Map<string, number>()
  for (const pid of wanted) {
    for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
      const inode = /^socket:\[(\d+)\]$/.exec(await readlink(`/proc/${pid}/fd/${fd}`).catch(() => ''))?.[1]
      if (inode !== undefined && !owners.has(inode)) owners.set(inode, pid)
    }
  }
  const rows = async (table: string) =>
    (await readFile(`/proc/net/${table}`, 'utf8').catch(() => ''))
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
  const found: [inode: string | undefined, at: string][] = []
  for (const table of ['tcp', 'tcp6', 'udp', 'udp6'])
    for (const row of await rows(table))
      if (row[3] === '0A' || (table.startsWith('udp') && row[3] === '07'))
        found.push([row[9], tcpAddress(row[1] ?? '')])
  for (const row of await rows('unix'))
    if (Number.parseInt(row[3] ?? '', 16) & 0x1_0000) found.push([row[6], row[7] ?? '(unnamed)'])
  return found.flatMap(([inode = '', at]) => {
    const pid = owners.get(inode)
    return pid === undefined ? [] : [{ pid, at }]
  })
}

function tcpAddress(hex: string): string {
  const [address = '', port = ''] = hex.split(':')
  const readable = address === '0100007F' ? '127.0.0.1' : address
  return `${readable}:${Number.parseInt(port, 16)}`
}

async function webPort(): Promise<number> {
  const file = join(bench.appliance.state, 'gateway/config.json')
  const config = JSON.parse(await readFile(file, 'utf8')) as { routes: { upstream: { port: number } }[] }
  return config.routes[0]?.upstream.port as number
}

const unixSockets = async () => (await listeningOf(pids)).filter(({ at }) => at.startsWith('/'))

describe('what listens', () => {
  test('the gateway, the state page and the web service on the loopback address; nothing else on the network', async () => {
    const page = new URL((await bench.appliance.ok('page')).stdout.trim()).host
    const network = (await listeningOf(pids)).filter(({ at }) => !at.startsWith('/')).map(({ at }) => at)
    // The process runtime gives a service a port of the loopback address, which every user of the machine can reach.
    const wanted = [`127.0.0.1:${bench.appliance.port}`, page, `127.0.0.1:${await webPort()}`]
    expect(network.toSorted()).toEqual(wanted.toSorted())
  })

  test('unix sockets of API, gateway and Postgres, each closed to others by itself or its folder', async () => {
    const sockets = (await unixSockets()).map(({ at }) => at)
    expect(sockets.map((path) => path.split('/').at(-1) ?? '').toSorted()).toEqual(
      ['.s.PGSQL.5432', 'caretaker.sock', 'gateway.sock'].toSorted(),
    )
    for (const path of sockets) {
      const own = (await stat(path)).mode & 0o077
      const folder = (await stat(join(path, '..'))).mode & 0o077
      expect([path, own === 0 || folder === 0]).toEqual([path, true])
    }
  })
})

describe('another user of this machine', () => {
  /** What `nobody` gets for a small program of node. */
  async function asNobody(program: string, ...words: readonly string[]): Promise<string> {
    const { stdout } = await run(process.execPath, ['--eval', program, ...words], {
      uid: NOBODY,
      gid: NOBODY,
      cwd: '/',
    })
    return stdout.trim()
  }

  test.runIf(isRoot)('cannot connect to any unix socket', async () => {
    const program = `const s = require('node:net').connect(process.argv[1]);
      s.on('connect', () => { console.log('connected'); s.destroy() }); s.on('error', (e) => console.log(e.code))`
    for (const { at } of await unixSockets())
      expect([at, await asNobody(program, at)]).toEqual([at, 'EACCES'])
  })

  test.runIf(isRoot)('reads no secret, config, journal, log or data', async () => {
    const program = `const fs = require('node:fs'), path = require('node:path'); const seen = [];
      const walk = (at) => { let names; try { names = fs.readdirSync(at, { withFileTypes: true }) } catch { return }
        for (const e of names) { const p = path.join(at, e.name); if (e.isDirectory()) walk(p); else try { fs.closeSync(fs.openSync(p, 'r')); seen.push(p) } catch {} } };
      for (const at of process.argv.slice(1)) { walk(at); try { if (fs.statSync(at).isFile()) { fs.readFileSync(at); seen.push(at) } } catch {} }
      console.log(JSON.stringify(seen))`
    const { state } = bench.appliance
    // Folders that may not be listed may still be passed through: every path that root sees is tried.
    const all = (await readdir(state, { recursive: true, withFileTypes: true }))
      .filter((entry) => !entry.parentPath.includes('/releases/') && !entry.parentPath.includes('/cache'))
      .map((entry) => join(entry.parentPath, entry.name))
    expect(all.length).toBeGreaterThan(50)
    const readable: string[] = []
    for (let from = 0; from < all.length; from += 1000)
      readable.push(...(JSON.parse(await asNobody(program, ...all.slice(from, from + 1000))) as string[]))
    const open = new Set(readable.map((path) => path.slice(state.length + 1)))
    // Of services' code, certificates and the appliance's id nothing is secret.
    const secret = [...open].filter(
      (path) =>
        !/^(releases\/.*|certificates\/.*\.crt|data\/caretaker\.json|appliance\.schema\.json)$/.test(path),
    )
    expect(secret).toEqual([])
  })

  test.runIf(isRoot)('can write nowhere', async () => {
    const { state } = bench.appliance
    const { stdout } = await run('find', [state, '-perm', '/0022', '-not', '-type', 'l'])
    expect(stdout).toBe('')
  })
})
