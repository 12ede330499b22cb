import { createHash } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { Context } from './context.ts'
import { type Outcome, post } from './send.ts'

const EVERY_MS = 20
/** Numbers under way at the same time; while all of them wait for an answer no new one is begun. */
const MOST_UNDER_WAY = 12
const LIMIT_MS = 10_000
const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 400

/**
 * Sends a numbered row with its file every {@link EVERY_MS} ms. A number without a clear answer is sent again, the
 * same, until it is known to be there. Resolves when all are after `finishing`, or `gaveUp` fires.
 */
export async function writeNumbers(context: Context, gaveUp: AbortSignal): Promise<void> {
  const underWay = new Set<Promise<void>>()
  for (let n = 1; !context.finishing.aborted; await pause(EVERY_MS)) {
    if (underWay.size >= MOST_UNDER_WAY) continue
    const writing = write(context, n, gaveUp).finally(() => underWay.delete(writing))
    underWay.add(writing)
    n += 1
  }
  await Promise.all(underWay)
}

async function write(context: Context, n: number, gaveUp: AbortSignal): Promise<void> {
  const bytes = contentOf(context, n)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const json = Buffer.from(JSON.stringify({ n, body: bytes.toString('base64') }))
  const headers = { 'content-type': 'application/json', 'content-length': json.length }
  let pauseMs = FIRST_PAUSE_MS
  for (let attempts = 1; !gaveUp.aborted; attempts += 1) {
    const sentAt = Date.now()
    const outcome = await post(context, { path: '/numbers', headers, body: [json], limitMs: LIMIT_MS })
    const known = judge(outcome, n, sha256, attempts)
    if (known.is === 'there') {
      if (known.trouble) context.remember({ kind: 'trouble', of: 'number', what: known.trouble })
      context.remember({ kind: 'number', n, sha256, sentAt, known: known.how })
      return
    }
    if (known.is === 'wrong') {
      context.remember({ kind: 'wrong', why: known.why })
      return
    }
    context.remember({ kind: 'trouble', of: 'number', what: known.trouble })
    await pause(pauseMs)
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)
  }
  context.remember({ kind: 'open number', n, sha256 })
}

type Known =
  | { readonly is: 'there'; readonly how: 'answered' | 'found'; readonly trouble?: string }
  | { readonly is: 'open'; readonly trouble: string }
  | { readonly is: 'wrong'; readonly why: string }

function judge(outcome: Outcome, n: number, sha256: string, attempts: number): Known {
  if (outcome.trouble !== undefined) return { is: 'open', trouble: outcome.trouble }
  const { status, body } = outcome
  if (status === 200) {
    const told = body.startsWith('{') ? (JSON.parse(body) as { n?: number; sha256?: string }) : {}
    return told.n === n && told.sha256 === sha256
      ? { is: 'there', how: 'answered' }
      : {
          is: 'wrong',
          why: `the number ${n} was answered with 200 and ${JSON.stringify(body.slice(0, 200))}`,
        }
  }
  if (status === 409) {
    return attempts > 1
      ? { is: 'there', how: 'found', trouble: 'duplicate' }
      : { is: 'wrong', why: `the number ${n} was there at its first attempt` }
  }
  return status >= 500
    ? { is: 'open', trouble: `status ${status}` }
    : { is: 'wrong', why: `the number ${n} was answered with ${status}` }
}

/** Differs from number to number in length and content. */
function contentOf({ tag }: Context, n: number): Buffer {
  return Buffer.from(`number ${n} of ${tag}\n`.repeat(10 + (n % 90)))
}
