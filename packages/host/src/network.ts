import type { IncomingMessage } from 'node:http'
import type { RequestOptions } from 'node:https'
import type { LookupFunction } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { HttpRequest, HttpResponse, Network } from '@caretaker/ports/network.ts'
import { canListen, freePort } from './free-port.ts'
import { findListenerUids, findPortHolder } from './gateway/port-holder.ts'

/** What {@link HttpResponse} keeps of a body. */
const BODY_LIMIT_BYTES = 1024 * 1024

/**
 * HTTP requests and TCP ports of this machine. Names below .localhost are 127.0.0.1 (RFC 6761), whatever the
 * machine's resolver knows. Each request has a connection of its own.
 */
export function createNetwork(): Network {
  return {
    request,
    freePort,
    canListen,
    listener: findPortHolder,
    listenerUids: findListenerUids,
    resolve,
    servedCertificate,
    addresses,
  }
}

async function request(wanted: HttpRequest): Promise<HttpResponse> {
  const url = new URL(wanted.url)
  // Loaded at the first use: most commands do without, and these modules take longest of all to load.
  const { request: send } = url.protocol === 'http:' ? await import('node:http') : await import('node:https')
  const answer = Promise.withResolvers<HttpResponse>()
  const sent = send(url, optionsOf(wanted, url), (message) => {
    readBody(message).then(
      (body) => answer.resolve({ status: message.statusCode ?? 0, headers: flatten(message), body }),
      answer.reject,
    )
  })
  sent.on('error', answer.reject)
  const timer = setTimeout(() => {
    answer.reject(new Error(`no answer from ${wanted.url} within ${wanted.timeoutMs} ms`))
  }, wanted.timeoutMs)
  sent.end(wanted.body)
  try {
    return await answer.promise
  } finally {
    clearTimeout(timer)
    sent.destroy()
  }
}

function optionsOf(wanted: HttpRequest, url: URL): RequestOptions {
  return {
    method: wanted.method ?? 'GET',
    agent: false,
    ...(wanted.headers ? { headers: wanted.headers } : {}),
    ...(wanted.socketPath === undefined ? {} : { socketPath: wanted.socketPath }),
    ...(wanted.ca === undefined ? {} : { ca: wanted.ca }),
    ...(url.hostname.endsWith('.localhost') ? { lookup: lookUpLoopback } : {}),
  }
}

const lookUpLoopback: LookupFunction = (_name, options, callback) => {
  if (options.all) callback(null, [{ address: '127.0.0.1', family: 4 }])
  else callback(null, '127.0.0.1', 4)
}

async function readBody(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of message as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    sizeBytes += chunk.length
    if (sizeBytes >= BODY_LIMIT_BYTES) break
  }
  return Buffer.concat(chunks).subarray(0, BODY_LIMIT_BYTES).toString('utf8')
}

function flatten(message: IncomingMessage): Record<string, string> {
  const entries = Object.entries(message.headers).map(([name, value]) => [
    name,
    Array.isArray(value) ? value.join(', ') : (value ?? ''),
  ])
  return Object.fromEntries(entries)
}

async function resolve(host: string, timeoutMs: number): Promise<readonly string[]> {
  if (host === 'localhost' || host.endsWith('.localhost')) return ['127.0.0.1']
  const { lookup } = await import('node:dns/promises')
  const answered = lookup(host, { all: true }).then(
    (found) => found.map(({ address }) => address),
    () => [],
  )
  const late = Promise.withResolvers<readonly string[]>()
  const timer = setTimeout(() => late.resolve([]), timeoutMs)
  try {
    return await Promise.race([answered, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

async function servedCertificate(
  host: string,
  port: number,
  serverName: string,
  timeoutMs: number,
): Promise<string> {
  const { connect } = await import('node:tls')
  const shown = Promise.withResolvers<string>()
  // Only looked at, nothing is sent: a certificate that nobody trusts is an answer as well.
  const socket = connect({ host, port, servername: serverName, rejectUnauthorized: false }, () => {
    const certificate = socket.getPeerX509Certificate()
    if (certificate) shown.resolve(certificate.toString())
    else shown.reject(new Error(`${host}:${port} shows no certificate`))
  })
  socket.once('error', shown.reject)
  socket.setTimeout(timeoutMs, () => shown.reject(new Error(`no answer from ${host}:${port} in TLS`)))
  try {
    return await shown.promise
  } finally {
    socket.destroy()
  }
}

function addresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((found) => (found ?? []).map(({ address }) => address))
}
