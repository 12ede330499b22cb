import type { IncomingMessage } from 'node:http'
import { PAGES, type Page } from '@caretaker/appliance/gateway/service-page.ts'
import { MAX_HEADER_FIELDS } from './limits.ts'

/**
 * The page for a request that the parser let through and that is not passed on, because two programs could take it
 * for different things: a second Host, a transfer coding other than `chunked` alone (or in HTTP/1.0, which has none),
 * a websocket handshake with a body, another major version. Undefined when it may go on.
 */
export function refusalOf(request: IncomingMessage, kind: 'request' | 'upgrade'): Page | undefined {
  const { headers, rawHeaders, method } = request
  if (request.httpVersionMajor !== 1) return PAGES.badRequest
  if (rawHeaders.length > MAX_HEADER_FIELDS * 2) return PAGES.headersTooLarge
  if (countOf(rawHeaders, 'host') > 1) return PAGES.badRequest
  const coding = headers['transfer-encoding']
  if (coding !== undefined && (coding.toLowerCase() !== 'chunked' || request.httpVersionMinor === 0)) {
    return PAGES.badRequest
  }
  if (kind === 'upgrade' && hasBody(request)) return PAGES.badRequest
  // It answers with what it got, cookies and our own headers included.
  return method === 'TRACE' ? PAGES.noSuchMethod : undefined
}

/** Whether a body follows the header fields. */
export function hasBody({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

function countOf(rawHeaders: readonly string[], name: string): number {
  return rawHeaders.filter((text, index) => index % 2 === 0 && text.toLowerCase() === name).length
}
