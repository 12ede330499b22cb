import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer, type Server, request as sendRequest } from 'node:https'
import { join } from 'node:path'
import { createClock } from '@caretaker/host/clock.ts'
import { createHost } from '@caretaker/host/host.ts'
import { reservePort } from '@caretaker/host/reserved-port.fixture.ts'
import { waitUntil } from '@caretaker/ports/deadline.ts'
import {
  authorityCertificate,
  createAuthorityKey,
  issueServerCertificate,
} from '../../certificates/authority.ts'

const { network } = createHost()
const clock = createClock()

/** How Pebble behaves from its next start on. */
export interface PebbleShape {
  /** Address of this machine at which its directory is reached [127.0.0.1]. */
  readonly at?: string
  /** What its DNS says of every name that nobody has set [127.0.0.1]. */
  readonly everyName?: string
  /** Port at which it looks for HTTP-01 answers. */
  readonly httpPort: number
  /** Lifetime of what it issues, in seconds [90 days]. */
  readonly lifetimeS?: number
  /** Of how many nonces in a hundred it refuses one [0]. */
  readonly nonceRejects?: number
  /** Ask for an external account with this key id and HMAC key. */
  readonly externalAccount?: readonly [keyId: string, hmacKey: string]
}

export interface PebbleAnswer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** A real ACME server that really validates, with a DNS of its own; a proxy in front counts and can answer for it. */
export interface Pebble extends AsyncDisposable {
  readonly directory: string
  /** PEM file of the authority behind the TLS of the directory. */
  readonly trustedCa: string
  /** Base address of the management interface of the DNS. */
  readonly dns: string
  /** Method and path of every request so far. */
  readonly seen: readonly string[]
  /** Answers instead of Pebble when it gives something. */
  intercept: (method: string, path: string) => PebbleAnswer | undefined
  /** Nobody answers from now on; accounts, orders and its authority are forgotten. */
  stop(): Promise<void>
  start(change?: Partial<PebbleShape>): Promise<void>
  /** Tells its DNS something, as `setDns('add-a', { host: 'x.test.', addresses: ['127.0.0.2'] })`. */
  setDns(call: string, body: object): Promise<void>
}

export async function openPebble(folder: string, shape: PebbleShape): Promise<Pebble> {
  await mkdir(folder, { recursive: true })
  const [port, inner, management, dnsPort, dnsManagement, tlsPort] = await Promise.all(
    Array.from({ length: 6 }, () => reservePort()),
  )
  const at = shape.at ?? '127.0.0.1'
  const files = await makeTls(folder, at)
  const dns = `http://127.0.0.1:${dnsManagement}`
  const dnsOptions = {
    '-dns01': `127.0.0.1:${dnsPort}`,
    '-management': `127.0.0.1:${dnsManagement}`,
    '-http01': '',
    '-https01': '',
    '-tlsalpn01': '',
    '-defaultIPv4': shape.everyName ?? '127.0.0.1',
    '-defaultIPv6': '',
  }
  const dnsServer = spawn('pebble-challtestsrv', Object.entries(dnsOptions).flat(), { stdio: 'ignore' })
  let server: ChildProcess | undefined
  let proxy: Server | undefined
  let now = shape
  const seen: string[] = []
  const pebble: Pebble = {
    directory: `https://${at}:${port}/dir`,
    trustedCa: files.ca,
    dns,
    seen,
    intercept: () => undefined,
    async stop() {
      proxy?.closeAllConnections()
      if (proxy) await new Promise((resolve) => proxy?.close(resolve))
      if (server) await ended(server)
      proxy = undefined
      server = undefined
    },
    async start(change = {}) {
      now = { ...now, ...change }
      const config = join(folder, 'pebble.json')
      await writeFile(config, JSON.stringify(configOf(now, inner ?? 0, management ?? 0, tlsPort ?? 0, files)))
      server = spawn('pebble', ['-config', config, '-dnsserver', `127.0.0.1:${dnsPort}`], {
        stdio: 'ignore',
        env: {
          ...process.env,
          PEBBLE_VA_NOSLEEP: '1',
          PEBBLE_WFE_NONCEREJECT: String(now.nonceRejects ?? 0),
          PEBBLE_AUTHZREUSE: '0',
        },
      })
      await answers(`https://127.0.0.1:${inner}/dir`, await readFile(files.ca, 'utf8'))
      proxy = createServer(
        { cert: await readFile(files.certificate), key: await readFile(files.key) },
        (incoming, response) => {
          const { method = 'GET', url = '/' } = incoming
          seen.push(`${method} ${url}`)
          const instead = pebble.intercept(method, url)
          if (instead) {
            response.writeHead(instead.status, instead.headers).end(instead.body)
            return
          }
          const onward = sendRequest(
            {
              host: '127.0.0.1',
              port: inner,
              method,
              path: url,
              headers: incoming.headers,
              rejectUnauthorized: false,
              agent: false,
            },
            (answer) => {
              response.writeHead(answer.statusCode ?? 500, answer.headers)
              answer.pipe(response)
            },
          )
          onward.on('error', () => response.destroy())
          incoming.pipe(onward)
        },
      )
      proxy.listen(port, at)
      await once(proxy, 'listening')
    },
    async setDns(call, body) {
      const asked = { method: 'POST', url: `${dns}/${call}`, body: JSON.stringify(body), timeoutMs: 5000 }
      const { status } = await network.request(asked)
      if (status !== 200) throw new Error(`${call}: ${status}`)
    },
    async [Symbol.asyncDispose]() {
      await pebble.stop()
      await ended(dnsServer)
    },
  }
  await answers(`${dns}/`, undefined)
  await pebble.start()
  return pebble
}

interface TlsFiles {
  readonly ca: string
  readonly certificate: string
  readonly key: string
}

async function makeTls(folder: string, at: string): Promise<TlsFiles> {
  const now = new Date()
  const authorityKey = await createAuthorityKey()
  const authorityPem = await authorityCertificate(authorityKey, { name: 'Directory TLS', now })
  const made = await issueServerCertificate({
    authorityKey,
    authorityPem,
    hosts: [...new Set(['127.0.0.1', at])],
    now,
    days: 30,
  })
  const files = {
    ca: join(folder, 'directory-ca.pem'),
    certificate: join(folder, 'directory.crt'),
    key: join(folder, 'directory.key'),
  }
  await writeFile(files.ca, authorityPem)
  await writeFile(files.certificate, made.certPem)
  await writeFile(files.key, made.key.reveal(), { mode: 0o600 })
  return files
}

function configOf(shape: PebbleShape, port: number, management: number, tlsPort: number, files: TlsFiles) {
  return {
    pebble: {
      listenAddress: `127.0.0.1:${port}`,
      managementListenAddress: `127.0.0.1:${management}`,
      certificate: files.certificate,
      privateKey: files.key,
      httpPort: shape.httpPort,
      tlsPort,
      ocspResponderURL: '',
      externalAccountBindingRequired: shape.externalAccount !== undefined,
      ...(shape.externalAccount
        ? { externalAccountMACKeys: Object.fromEntries([shape.externalAccount]) }
        : {}),
      certificateValidityPeriod: shape.lifetimeS ?? 90 * 24 * 3600,
    },
  }
}

async function answers(url: string, ca: string | undefined): Promise<void> {
  const up = await waitUntil(clock, { timeoutMs: 120_000 }, async () => {
    const asked = network.request({ url, timeoutMs: 2000, ...(ca === undefined ? {} : { ca }) })
    return asked.then(
      () => true,
      () => undefined,
    )
  })
  if (!up) throw new Error(`${url} does not answer`)
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}
