import { createHash } from 'node:crypto'
import type { TestAppliance } from '../support/appliance.ts'
import type { Memory } from '../writer/memory.ts'

/** Numbers of the client begin with 1. */
const FIRST = 1_000_000
const NUMBERS = 40

/** Data from before the update; two entries have one name, which v3 does not bear. Gives what was acknowledged. */
export async function beginData(appliance: TestAppliance): Promise<readonly Memory[]> {
  const post = async (path: string, body: object) => {
    const send = Buffer.from(JSON.stringify(body))
    const headers = {
      accept: 'application/json',
      'content-type': 'application/json',
      'content-length': String(send.length),
    }
    const reply = await appliance.request(path, { method: 'POST', headers, send })
    if (reply.status !== 200 && reply.status !== 201)
      throw new Error(`${path} answered ${reply.status} ${reply.body}`)
    return JSON.parse(reply.body) as { id: number }
  }
  const memories: Memory[] = []
  for (const name of ['Ada', 'ada']) {
    const { id } = await post('/entries', { name, message: 'from before' })
    memories.push({ kind: 'entry', id, name, at: Date.now() })
  }
  for (let n = FIRST; n < FIRST + NUMBERS; n += 1) {
    const bytes = Buffer.from(`number ${n}\n`.repeat(50))
    const sentAt = Date.now()
    await post('/numbers', { n, body: bytes.toString('base64') })
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    memories.push({ kind: 'number', n, sha256, sentAt, at: Date.now(), known: 'answered' })
  }
  return memories
}
