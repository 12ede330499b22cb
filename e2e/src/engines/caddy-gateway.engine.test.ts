import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { connect as connectHttp2 } from 'node:http2'
import { join } from 'node:path'
import { reservePort } from '@caretaker/host/reserved-port.fixture.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type DaemonProcess, type TestAppliance, testAppliance } from '../support/appliance.ts'
import { entriesOf, signOver, unique } from '../support/guestbook-https.ts'
import { eventually } from '../support/observe.ts'
import { ownWorkshop, type Workshop } from '../support/people.ts'

let workshop: Workshop
let appliance: TestAppliance
let daemon: DaemonProcess
let httpPort: number

beforeAll(async () => {
  workshop = await ownWorkshop()
  appliance = await testAppliance()
  httpPort = await reservePort()
  await appliance.createConfig()
  await edit('http_port: null', `http_port: ${httpPort}`)
})
afterAll(async () => {
  await daemon?.stop()
  await appliance?.[Symbol.asyncDispose]()
  await workshop?.[Symbol.asyncDispose]()
})

async function edit(from: string, to: string): Promise<void> {
  const path = join(appliance.state, 'appliance.yml')
  const before = await readFile(path, 'utf8')
  expect(before).toContain(from)
  await writeFile(path, before.replace(from, to))
}

async function pidOf(service: 'gateway' | 'caddy'): Promise<number> {
  const record = await readFile(join(appliance.state, 'processes', `-.${service}.json`), 'utf8')
  return (JSON.parse(record) as { identity: { pid: number } }).identity.pid
}

/** Where a process listens with TCP. */
function listeners(pid: number): string[] {
  const lines = execFileSync('ss', ['-Hltnp'], { encoding: 'utf8' }).split('\n')
  return lines.filter((line) => line.includes(`pid=${pid},`)).map((line) => line.split(/\s+/)[3] as string)
}

async function sign(): Promise<string> {
  const name = unique('Ada')
  const reply = await signOver(appliance, { name, message: 'hello' })
  expect([303, 302, 200, 201]).toContain(reply.status)
  return name
}

const names = async () => (await entriesOf(appliance)).map(({ name }) => name)

describe('an appliance with gateway.engine: caddy', () => {
  const signed: string[] = []

  test('serves the guestbook through Caddy', async () => {
    await edit('engine: embedded', 'engine: caddy')
    await appliance.ok('app', 'add', 'guestbook', await workshop.folder('v1'), '--host', 'localhost')
    signed.push(await sign())
    expect(await names()).toEqual(expect.arrayContaining(signed))
    expect(listeners(await pidOf('caddy'))).toContain(`127.0.0.1:${appliance.port}`)
    expect(listeners(await pidOf('gateway'))).toEqual([])
    expect((await appliance.ok('up')).stdout).toMatch(/nothing/i)
  })

  test('speaks HTTP/2', async () => {
    const ca = await readFile(join(appliance.state, 'certificates/ca.crt'))
    const session = connectHttp2(appliance.url, { ca })
    const status = await new Promise((resolve, reject) => {
      session.on('error', reject)
      const asked = session.request({ ':path': '/entries.json' })
      asked.on('response', (headers) => resolve(headers[':status']))
      asked.on('error', reject)
      asked.resume()
    })
    session.destroy()
    expect(status).toBe(200)
  })

  test('listens on the configured ports, and beside them on loopback only', async () => {
    const ports = listeners(await pidOf('caddy'))
    expect(ports).toContain(`127.0.0.1:${httpPort}`)
    expect(ports).toHaveLength(3)
    // Certificates with keys: only for who knows the token.
    const other = ports.find((port) => !port.endsWith(`:${httpPort}`) && !port.endsWith(`:${appliance.port}`))
    const answer = await fetch(`http://${other}/`)
    expect([answer.status, await answer.text()]).toEqual([200, ''])
  })

  test('keeps sockets, config and certificates from others', async () => {
    const owned = async (path: string) => (await stat(path)).mode & 0o077
    const folder = join(appliance.state, 'gateway/caddy')
    for (const name of ['', 'caddy.json', 'secret.json', 'certificates', 'certificates/localhost.pem'])
      expect([name, await owned(join(folder, name))]).toEqual([name, 0])
    expect(await owned(join(appliance.state, 'run/caddy'))).toBe(0)
  })

  test('comes back by itself, whatever of it is killed', async () => {
    daemon = await appliance.daemon()
    for (const victims of [['caddy'], ['gateway'], ['caddy', 'gateway']] as const) {
      for (const victim of victims) process.kill(await pidOf(victim), 'SIGKILL')
      await eventually(`entries are answered after a kill of ${victims.join(' and ')}`, async () => {
        signed.push(await sign())
        return true
      })
    }
    expect(await names()).toEqual(expect.arrayContaining(signed))
  })

  test('is still served when the daemon is killed, and when it comes again', async () => {
    await daemon.kill()
    signed.push(await sign())
    daemon = await appliance.daemon()
    const caddy = await pidOf('caddy')
    signed.push(await sign())
    expect(await pidOf('caddy')).toBe(caddy)
  })

  test('changes its engine with the config, both ways', async () => {
    await daemon.stop()
    await appliance.ok('up')
    await edit('engine: caddy', 'engine: embedded')
    await appliance.ok('up')
    expect(listeners(await pidOf('gateway'))).toContain(`127.0.0.1:${appliance.port}`)
    await expect(pidOf('caddy')).rejects.toThrow('ENOENT')
    signed.push(await sign())
    await edit('engine: embedded', 'engine: caddy')
    await appliance.ok('up')
    expect(listeners(await pidOf('caddy'))).toContain(`127.0.0.1:${appliance.port}`)
    signed.push(await sign())
    expect(await names()).toEqual(expect.arrayContaining(signed))
  })

  test('leaves nothing running after down', async () => {
    const caddy = await pidOf('caddy')
    await appliance.ok('down')
    expect(listeners(caddy)).toEqual([])
    await expect(pidOf('caddy')).rejects.toThrow('ENOENT')
  })

  test('says who holds a port, also another Caddy', async () => {
    const other = spawn('caddy', ['respond', '--listen', `127.0.0.1:${appliance.port}`, 'hi'])
    try {
      await eventually('the other Caddy listens', async () => listeners(other.pid as number).length > 0)
      const { code, stderr } = await appliance.run('up')
      expect(code).not.toBe(0)
      expect(stderr).toMatch(/port is taken by "caddy" \(pid \d+\)/)
      expect(stderr).toContain('systemctl disable --now caddy')
    } finally {
      const ended = once(other, 'exit')
      other.kill()
      await ended
    }
  })
})
