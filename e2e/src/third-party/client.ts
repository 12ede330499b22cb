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

/** A visitor of an application under its own host name, through the gateway and its certificate. */
export function visitor({ state, port }: TestAppliance, app: string) {
  const host = `${app}.localhost`
  return async (path: string, { method, headers, json, body }: Question = {}): Promise<Answer> => {
    const ca = await readFile(join(state, 'certificates/ca.crt'))
    const sent = json === undefined ? body : Buffer.from(JSON.stringify(json))
    return new Promise((resolve, reject) => {
      const asked = request(
        {
          host: '127.0.0.1',
          port,
          path,
          ca,
          servername: host,
          agent: false,
          method: method ?? (sent ? 'POST' : 'GET'),
          headers: {
            host: `${host}:${port}`,
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

export type Visitor = ReturnType<typeof visitor>

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
