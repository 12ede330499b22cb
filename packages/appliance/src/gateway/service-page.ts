import { createHash } from 'node:crypto'
import { Html, html } from '@caretaker/kernel/html.ts'
import type { ServiceReason } from './gateway-config.ts'

const DEFAULT_TITLE = 'Service not available'
/** How often the page reloads itself, and the `Retry-After` while no end is planned; in seconds. */
const REFRESH_S = 30

/** What the gateway itself says to a visitor instead of an application. Holds nothing that is not public. */
export interface Page {
  readonly status: number
  readonly code: string
  readonly title: string
  readonly reason: string
  /** ISO 8601 instants. */
  readonly since?: string | undefined
  readonly until?: string | undefined
  /** Seconds after which asking again makes sense; absent: never. */
  readonly retryAfterS?: number | undefined
}

export interface PageRequest {
  readonly method: string
  readonly accept: string | undefined
  readonly requestId: string
}

/** A whole answer; `body` is empty for HEAD while `content-length` says what GET would give. */
export interface PageResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** The page for a reason. `next` of the reason is for the person responsible and is left out. */
export function servicePage(reason: ServiceReason | undefined, now: Date): Page {
  const until = reason?.until
  const untilS = until === undefined ? 0 : Math.ceil((Date.parse(until) - now.getTime()) / 1000)
  return {
    status: 503,
    code: reason?.code ?? 'NOT_SERVED',
    title: reason?.title ?? DEFAULT_TITLE,
    reason: reason?.reason ?? 'The application is not running at the moment.',
    since: reason?.since,
    until,
    retryAfterS: untilS > 0 ? untilS : REFRESH_S,
  }
}

/** The pages for what the gateway cannot pass on. */
export const PAGES = {
  notAnswering: {
    status: 503,
    code: 'APP_NOT_ANSWERING',
    title: DEFAULT_TITLE,
    reason: 'The application is not answering at the moment.',
    retryAfterS: 5,
  },
  holdOver: {
    status: 503,
    code: 'HOLD_TIMEOUT',
    title: DEFAULT_TITLE,
    reason: 'The application is being switched over and this takes longer than planned.',
    retryAfterS: 5,
  },
  gatewayAway: {
    status: 503,
    code: 'GATEWAY_UNREACHABLE',
    title: DEFAULT_TITLE,
    reason: 'The gateway of this machine is starting again.',
    retryAfterS: 5,
  },
  unknownHost: {
    status: 421,
    code: 'UNKNOWN_HOST',
    title: 'Nothing is served at this address',
    reason: 'This machine answers, but it serves nothing under this host name.',
  },
  noPath: {
    status: 404,
    code: 'NO_SUCH_PATH',
    title: 'Nothing is served at this path',
    reason: 'This host name is known, but no application is responsible for this path.',
  },
  badRequest: {
    status: 400,
    code: 'BAD_REQUEST',
    title: 'The request was not understood',
    reason: 'The request is not valid HTTP/1.1, or it names no host.',
  },
  noSuchMethod: {
    status: 405,
    code: 'METHOD_NOT_ALLOWED',
    title: 'The request was not understood',
    reason: 'This method is not passed on to applications.',
  },
  headersTooLarge: {
    status: 431,
    code: 'HEADERS_TOO_LARGE',
    title: 'The request was not understood',
    reason: 'The header fields of the request are too large; deleting the cookies of this site may help.',
  },
  requestTimeout: {
    status: 408,
    code: 'REQUEST_TIMEOUT',
    title: 'The request was not understood',
    reason: 'The header fields of the request did not arrive in time.',
  },
} as const satisfies Record<string, Page>

/** The answer in the form the client asked for: JSON when it prefers `application/json`, else HTML. */
export function renderPage(page: Page, request: PageRequest): PageResponse {
  const json = prefersJson(request.accept)
  const body = json
    ? `${JSON.stringify(pageJson(page, request.requestId))}\n`
    : pageHtml(page, request.requestId)
  return {
    status: page.status,
    headers: {
      'content-type': json ? 'application/json; charset=utf-8' : 'text/html; charset=utf-8',
      'content-length': String(Buffer.byteLength(body)),
      'cache-control': 'no-store',
      vary: 'accept',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'content-security-policy': POLICY,
      'x-request-id': request.requestId,
      ...(page.retryAfterS === undefined ? {} : { 'retry-after': String(page.retryAfterS) }),
    },
    body: request.method === 'HEAD' ? '' : body,
  }
}

function pageJson(page: Page, requestId: string): Record<string, unknown> {
  return {
    status: page.status,
    code: page.code,
    title: page.title,
    reason: page.reason,
    since: page.since ?? null,
    until: page.until ?? null,
    retry_after_s: page.retryAfterS ?? null,
    request_id: requestId,
  }
}

function prefersJson(accept: string | undefined): boolean {
  const quality = { json: 0, html: 0 }
  for (const part of (accept ?? '').toLowerCase().split(',')) {
    const [type = '', ...parameters] = part.split(';').map((piece) => piece.trim())
    const q = Number(parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? 1) || 0
    if (type === 'application/json') quality.json = q
    if (type === 'text/html') quality.html = q
  }
  return quality.json > quality.html
}

const STYLE = `:root{color-scheme:light dark}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem;font:1rem/1.6 system-ui,sans-serif;background:#f5f5f2;color:#23261f}
main{width:100%;max-width:34rem;padding:2rem;border-radius:.75rem;background:#fff;border:1px solid #e0e0da}
h1{margin:0 0 .75rem;font-size:1.5rem;line-height:1.25}
p{margin:.5rem 0;overflow-wrap:anywhere}
dl{margin:1.25rem 0 0;display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem;font-size:.9rem;color:#5d6156}
dd{margin:0;overflow-wrap:anywhere}
@media(prefers-color-scheme:dark){body{background:#191b18;color:#e4e6df}main{background:#22251f;border-color:#383c34}dl{color:#a6ab9d}}`

const POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

function pageHtml(page: Page, requestId: string): string {
  const refresh =
    page.retryAfterS === undefined ? undefined : html`<meta http-equiv="refresh" content="${REFRESH_S}">\n`
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
${refresh}<title>${page.title}</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<main>
<h1>${page.title}</h1>
<p>${page.reason}</p>
<dl>
${instant('Since', page.since)}${instant('Planned end', page.until)}<dt>Request</dt><dd>${requestId}</dd>
</dl>
</main>
</body>
</html>
`.text
}

function instant(label: string, iso: string | undefined): Html | undefined {
  return iso === undefined
    ? undefined
    : html`<dt>${label}</dt><dd><time datetime="${iso}">${localTime(new Date(iso))}</time></dd>\n`
}

/** An instant in the time zone of the machine, as `2026-11-20 10:30 +01:00`. */
export function localTime(at: Date): string {
  const offset = -at.getTimezoneOffset()
  const local = new Date(at.getTime() + offset * 60_000).toISOString()
  const zone = `${offset < 0 ? '-' : '+'}${two(Math.abs(offset) / 60)}:${two(Math.abs(offset) % 60)}`
  return `${local.slice(0, 10)} ${local.slice(11, 16)} ${zone}`
}

function two(value: number): string {
  return String(Math.floor(value)).padStart(2, '0')
}
