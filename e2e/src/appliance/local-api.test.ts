import { request } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type StatusDocument, type TestAppliance, testAppliance } from '../support/appliance.ts'
import { eventually } from '../support/observe.ts'

const COMMANDS = [
  'up',
  'down',
  'app add',
  'app remove',
  'app restart',
  'app exec',
  'service on',
  'operation resume',
]
const STACK = /\bat .*\.(js|ts):\d+/

let appliance: TestAppliance
let socket: string
beforeAll(async () => {
  appliance = await testAppliance()
  await appliance.createConfig()
  await appliance.daemon()
  socket = join(appliance.state, 'run/caretaker.sock')
  // The daemon has come to rest: what changes from now on was changed by a test.
  await eventually('the first start is over', async () => {
    const { status, operations } = await stateOf()
    return status.state === 'running' && !/"state":"(unfinished|running)"/.test(JSON.stringify(operations))
  })
})
afterAll(() => appliance?.[Symbol.asyncDispose]())

const stateOf = async () => ({
  status: { ...(await appliance.json<StatusDocument>('status')), storage: undefined },
  operations: await appliance.json('operation', 'list'),
  config: await appliance.json('config', 'show'),
})

test('the API ends what it does not understand, and lives on', async () => {
  const before = await stateOf()
  const refused = [
    'GARBAGE\r\n\r\n',
    'GET /v1/daemon HTTP/1.1\r\n\r\n',
    'POST /v1/commands/down HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}',
    'POST /v1/commands/%E0%A4%A HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
    `POST /v1/commands/${'a'.repeat(10_000)} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
    'CONNECT /v1/daemon HTTP/1.1\r\nhost: x\r\n\r\n',
    `POST /v1/commands/down HTTP/1.1\r\nhost: x\r\n${'a: b\r\n'.repeat(50_000)}\r\n`,
    `POST /v1/commands/down HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 300000\r\n\r\n${' '.repeat(300_000)}`,
  ]
  for (const bytes of refused) {
    const answer = await exchange(socket, bytes)
    expect(answer).toMatch(/^$|^HTTP\/1\.1 4\d\d /)
    expect(answer).not.toMatch(/ at .*\.(js|ts):\d+/)
  }
  expect(await stateOf()).toEqual(before)
})

test('a call that is none is refused as JSON, whatever it is, and changes nothing', async () => {
  const before = await stateOf()
  const call = fc.oneof(
    fc.jsonValue().map((value) => JSON.stringify(value)),
    fc.string({ unit: 'binary' }),
    // All is well but one of its parts.
    fc
      .record({
        arguments: fc.oneof(
          fc.array(fc.integer(), { minLength: 1 }),
          fc.jsonValue().filter((value) => !Array.isArray(value)),
        ),
        options: fc.dictionary(fc.string(), fc.jsonValue()),
        user: fc.string(),
        working_folder: fc.string(),
      })
      .map((value) => JSON.stringify(value)),
  )
  const property = fc.asyncProperty(fc.constantFrom(...COMMANDS), call, async (name, body) => {
    const answer = await post(`/v1/commands/${encodeURIComponent(name)}`, body)
    expect(answer.status).toBe(400)
    expect(JSON.parse(answer.body)).toMatchObject({
      error: { code: 'USAGE', next: expect.any(String) as unknown },
    })
    expect(answer.body).not.toMatch(STACK)
  })
  await fc.assert(property, { numRuns: 150 })
  expect(await stateOf()).toEqual(before)
})

test('a command with nonsense in it ends with an error that says why, and changes nothing', async () => {
  const before = await stateOf()
  const nonsense = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('../../etc', '..', '/', 'a\0b', '__proto__', '\u202e', 'x'.repeat(5000)),
  )
  const property = fc.asyncProperty(
    fc.constantFrom(
      'app remove',
      'app restart',
      'app exec',
      'operation resume',
      'logs',
      'nope',
      '__proto__',
      'app add',
    ),
    fc.array(nonsense, { minLength: 1, maxLength: 3 }),
    fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 3 }),
    async (name, words, options) => {
      const body = JSON.stringify({ arguments: words, options, user: 'fuzz', working_folder: '/nowhere' })
      const answer = await post(`/v1/commands/${encodeURIComponent(name)}`, body)
      expect([200, 400, 404]).toContain(answer.status)
      expect(answer.body).not.toMatch(STACK)
      const last = JSON.parse(answer.body.trim().split('\n').at(-1) as string) as {
        error: { code: string; next: string }
      }
      expect(last.error.next).not.toBe('')
      expect([name, words, last.error]).not.toMatchObject([name, words, { code: 'INTERNAL' }])
    },
  )
  await fc.assert(property, { numRuns: 80 })
  expect(await stateOf()).toEqual(before)
})

function post(path: string, body: string): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath: socket, path, method: 'POST', agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }))
      response.on('error', reject)
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

function exchange(path: string, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(path)
    let answer = ''
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString()
    })
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(answer))
    socket.write(bytes)
  })
}
