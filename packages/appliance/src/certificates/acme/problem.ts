import { MINUTE_MS, SECOND_MS } from '@caretaker/kernel/time.ts'

/** A longer wait than this is no answer that anybody means. */
const LONGEST_WAIT_MS = 31 * 24 * 60 * MINUTE_MS
/** How much of what a server said is passed on. */
const SHOWN_CHARACTERS = 600

export interface Subproblem {
  readonly type: string
  readonly detail: string
  readonly identifier: string | undefined
}

/** What an ACME server answered instead of what was asked (RFC 8555, 6.7). */
export class AcmeProblem extends Error {
  readonly status: number
  /** Last part of the type, as `rateLimited`; empty when the answer was no problem document. */
  readonly type: string
  readonly detail: string
  readonly subproblems: readonly Subproblem[]
  readonly retryAfterMs: number | undefined
  readonly url: string

  constructor(
    fields: Pick<AcmeProblem, 'status' | 'type' | 'detail' | 'subproblems' | 'retryAfterMs' | 'url'>,
  ) {
    super(`${fields.status} ${fields.type}: ${fields.detail}`)
    this.status = fields.status
    this.type = fields.type
    this.detail = fields.detail
    this.subproblems = fields.subproblems
    this.retryAfterMs = fields.retryAfterMs
    this.url = fields.url
  }

  static of(status: number, body: string, retryAfterMs: number | undefined, url: string): AcmeProblem {
    const document = parseProblem(body)
    const detail = document?.detail ?? plain(body)
    return new AcmeProblem({
      status,
      type: document?.type ?? '',
      detail: detail === '' ? `the answer was ${status} without a reason` : detail,
      subproblems: document?.subproblems ?? [],
      retryAfterMs,
      url,
    })
  }
}

/** The server did not answer at all. */
export class AcmeUnreachable extends Error {
  constructor(why: string, cause: unknown) {
    super(why, { cause })
  }
}

export interface ProblemDocument {
  readonly type: string
  readonly detail: string
  readonly subproblems: readonly Subproblem[]
}

/** A problem as it stands in an answer, an order or a challenge; undefined when it is none. */
export function readProblem(value: unknown): ProblemDocument | undefined {
  if (value === null || typeof value !== 'object') return undefined
  const { type, detail, subproblems } = value as Record<string, unknown>
  if (typeof type !== 'string') return undefined
  return {
    type: type.replace(/^urn:ietf:params:acme:error:/, ''),
    detail: typeof detail === 'string' ? plain(detail) : '',
    subproblems: (Array.isArray(subproblems) ? subproblems : []).flatMap((entry: unknown) => {
      const inner = readProblem(entry)
      const { identifier } = entry as { identifier?: { value?: unknown } }
      const named = typeof identifier?.value === 'string' ? identifier.value : undefined
      return inner ? [{ type: inner.type, detail: inner.detail, identifier: named }] : []
    }),
  }
}

/** Milliseconds that a Retry-After header asks to wait: seconds or a date (RFC 9110, 10.2.3); undefined without one. */
export function parseRetryAfter(header: string | undefined, now: Date): number | undefined {
  if (header === undefined) return undefined
  const text = header.trim()
  const waitMs = /^\d+$/.test(text) ? Number(text) * SECOND_MS : Date.parse(text) - now.getTime()
  if (Number.isNaN(waitMs)) return undefined
  return Math.min(Math.max(0, waitMs), LONGEST_WAIT_MS)
}

function parseProblem(body: string): ProblemDocument | undefined {
  try {
    return readProblem(JSON.parse(body))
  } catch {
    return undefined
  }
}

/** One line, without markup and control characters. */
function plain(text: string): string {
  const words = text
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/[\p{Cc}\s]+/gu, ' ')
    .trim()
  return words.length > SHOWN_CHARACTERS ? `${words.slice(0, SHOWN_CHARACTERS)}…` : words
}
