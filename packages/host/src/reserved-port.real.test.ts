import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, it } from 'vitest'
import { ephemeralStart } from './free-port.ts'
import { reservePort } from './reserved-port.fixture.ts'

const MODULE = new URL('./reserved-port.fixture.ts', import.meta.url).href
const EACH = 400

/** Another process that reserves ports and keeps them until its input ends. */
function elsewhere(): ChildProcess {
  const script = `
    import { reservePort } from ${JSON.stringify(MODULE)}
    const ports = []
    while (ports.length < ${EACH}) ports.push(await reservePort())
    console.log(JSON.stringify(ports))
    process.stdin.resume()`
  return spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
}

it('gives no port twice, whichever process asks, and keeps no process alive', async () => {
  const others = [elsewhere(), elsewhere(), elsewhere()]
  const ports: number[] = []
  while (ports.length < EACH) ports.push(await reservePort())
  for (const other of others) {
    other.stdout?.setEncoding('utf8')
    const [line] = (await once(other.stdout!, 'data')) as [string]
    ports.push(...(JSON.parse(line) as number[]))
  }
  expect(ports).toHaveLength(4 * EACH)
  expect(new Set(ports).size).toBe(ports.length)
  expect(Math.min(...ports)).toBeGreaterThan(ephemeralStart(''))
  for (const other of others) {
    const ended = once(other, 'exit')
    other.stdin?.end()
    expect(await ended).toEqual([0, null])
  }
})
