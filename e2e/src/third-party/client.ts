import { randomUUID } from 'node:crypto'
import { readFile, rm } from 'node:fs/promises'
import { request } from 'node:https'
import { join } from 'node:path'
import { parse } from 'yaml'
import type { TestAppliance } from '../support/appliance.ts'

export interface Answer {
  readonly status: number
  readonly bytes: Buffer
  readonly cookies: readonly string[]
  readonly json: <T>() => T
}

export interface Question {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly json?: unknown
  readonly body?: Uint8Array
}

/** Where an application is reached, and whom a visitor trusts. */
export interface Place {
  readonly address: string
  readonly port: number
  readonly host: string
  /** PEM of the authority; undefined for any certificate. */
  readonly ca: () => Promise<Buffer> | undefined
}

/** A visitor of an application under its own host name, through the gateway and its certificate. */
export function visitor({ state, port }: TestAppliance, app: string): Visitor {
  const ca = () => readFile(join(state, 'certificates/ca.crt'))
  return visitorOf({ address: '127.0.0.1', port, host: `${app}.localhost`, ca })
}

export type Visitor = (path: string, question?: Question) => Promise<Answer>

export function visitorOf({ address, port, host, ca }: Place): Visitor {
  return async (path, { method, headers, json, body } = {}) => {
    const trusted = await ca()
    const sent = json === undefined ? body : Buffer.from(JSON.stringify(json))
    return new Promise((resolve, reject) => {
      const asked = request(
        {
          host: address,
          port,
          path,
          ...(trusted ? { ca: trusted } : { rejectUnauthorized: false }),
          servername: host,
          agent: false,
          method: method ?? (sent ? 'POST' : 'GET'),
          headers: {
            host: port === 443 ? host : `${host}:${port}`,
            ...(json === undefined ? {} : { 'content-type': 'application/json' }),
            ...headers,
          },
        },
        (response) => {
          const parts: Buffer[] = []
          response.on('data', (part: Buffer) => parts.push(part))
          response.on('error', reject)
          response.on('end', () => {
            const bytes = Buffer.concat(parts)
            resolve({
              status: response.statusCode ?? 0,
              bytes,
              cookies: (response.headers['set-cookie'] ?? []).map((line) => line.split(';')[0] ?? ''),
              json: () => JSON.parse(bytes.toString()),
            })
          })
        },
      )
      asked.on('error', reject)
      asked.end(sent)
    })
  }
}

/** The secrets of an application, from an export of the config: in the config itself they are sealed. */
export async function secretsOf(
  appliance: TestAppliance,
  app: string,
): Promise<Readonly<Record<string, string>>> {
  const file = join(appliance.home, `export-${randomUUID()}.yml`)
  await appliance.ok('config', 'export', file)
  const config = parse(await readFile(file, 'utf8'))
  await rm(file)
  return config.caretaker.applications[app].secrets
}

/** The answer, or an error with what was said instead. */
export function expectStatus(answer: Answer, status: number, what: string): Answer {
  if (answer.status === status) return answer
  throw new Error(`${what}: ${answer.status} and not ${status}: ${answer.bytes.toString().slice(0, 500)}`)
}
