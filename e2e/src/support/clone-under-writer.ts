import { expect } from 'vitest'
import type { Reply, TestAppliance } from './appliance.ts'

/** What `/numbers/verify` of guestbook says: whether every row has its file, whole, and how many rows there are. */
interface Verified {
  readonly ok: boolean
  readonly rows: number
}

/**
 * Clones guestbook, which is served at localhost, `times` times while somebody writes in it, and judges by what the writer
 * was told: every number that was acknowledged before a clone was asked for is in it, row and file, and no request failed.
 * The clones are removed at the end. Gives their seconds.
 */
export async function cloneUnderWriter(
  appliance: TestAppliance,
  times: number,
  ...options: readonly string[]
): Promise<readonly number[]> {
  const writer = startWriter(appliance)
  const seconds: number[] = []
  const clones: { readonly name: string; readonly acknowledged: number }[] = []
  try {
    for (let index = 1; index <= times; index += 1) {
      const name = `copy-${index}`
      await writer.write(5)
      clones.push({ name, acknowledged: writer.acknowledged() })
      const { ms } = await appliance.ok('app', 'clone', 'guestbook', '--name', name, ...options)
      seconds.push(ms / 1000)
    }
  } finally {
    await writer.end()
  }
  for (const { name, acknowledged } of clones) {
    const verified = JSON.parse((await atClone(appliance, name, '/numbers/verify')).body) as Verified
    expect(verified, name).toMatchObject({ ok: true })
    expect(verified.rows, name).toBeGreaterThanOrEqual(acknowledged)
    expect((await atClone(appliance, name, '/')).body).toContain('CLONE')
  }
  const origin = JSON.parse((await appliance.request('/numbers/verify')).body) as Verified
  expect(origin).toMatchObject({ ok: true })
  expect(origin.rows).toBeGreaterThanOrEqual(writer.acknowledged())
  for (const { name } of clones) await appliance.ok('clone', 'remove', name)
  return seconds
}

/** A request to the clone of this name; its host is NAME.localhost. */
export function atClone(appliance: TestAppliance, name: string, path: string): Promise<Reply> {
  const host = `${name}.localhost`
  return appliance.request(path, { servername: host, headers: { host: `${host}:${appliance.port}` } })
}

function startWriter(appliance: TestAppliance) {
  let acknowledged = 0
  let ending = false
  const run = async () => {
    while (!ending) {
      const body = Buffer.from(`number ${acknowledged + 1}`).toString('base64')
      const reply = await appliance.request('/numbers', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        send: Buffer.from(JSON.stringify({ n: acknowledged + 1, body })),
      })
      if (reply.status !== 200) throw new Error(`a number was answered ${reply.status}: ${reply.body}`)
      acknowledged += 1
    }
  }
  const running = run()
  running.catch(() => undefined)
  return {
    acknowledged: () => acknowledged,
    /** Waits for so many more numbers. */
    async write(more: number) {
      const wanted = acknowledged + more
      const reached = async () => {
        while (acknowledged < wanted) await new Promise((resolve) => setTimeout(resolve, 20))
      }
      await Promise.race([reached(), running])
    },
    async end() {
      ending = true
      await running
    },
  }
}
