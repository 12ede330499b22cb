import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
/** The silence is what is tested. */
import { setTimeout as silence } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { endSilentBody } from './body-idle.ts'

const IDLE_MS = 150
const server = createServer()
let client: Socket
beforeEach(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  client.on('error', () => undefined)
})
afterEach(async () => {
  client.destroy()
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
})

/** Begins a request with a body of that length; its sender is watched from then on. */
async function begin(length: number): Promise<IncomingMessage> {
  const arriving = once(server, 'request') as Promise<[IncomingMessage, ServerResponse]>
  client.write(`POST / HTTP/1.1\r\nhost: x\r\ncontent-length: ${length}\r\n\r\nbegin`)
  const [request, response] = await arriving
  request.on('error', () => undefined)
  endSilentBody(request, response, IDLE_MS)
  return request
}

test('ends the connection of a sender that stops in the middle', async () => {
  const request = await begin(100)
  request.resume()
  await once(client, 'close')
})

test('leaves a slow sender alone, and the connection after the body', async () => {
  const request = await begin(25)
  request.resume()
  const began = performance.now()
  for (let part = 0; part < 4; part++) {
    await silence(IDLE_MS / 2)
    client.write('part.')
  }
  await once(request, 'end')
  await silence(IDLE_MS * 2)
  expect(performance.now() - began).toBeGreaterThan(IDLE_MS * 3)
  expect(client.closed).toBe(false)
})

test('does not blame the sender while nobody reads', async () => {
  const size = 4_000_000
  const request = await begin(size + 'begin'.length)
  client.write('x'.repeat(size))
  await silence(IDLE_MS * 4)
  expect(client.closed).toBe(false)
  request.resume()
  await once(request, 'end')
})
