import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { AppError } from '@caretaker/kernel/errors.ts'
import { describe, expect, it } from 'vitest'
import { type HttpServerOptions, jsonAnswer, serveHttp } from './http-server.ts'

const serve = (answer: HttpServerOptions['answer']) =>
  serveHttp({ at: { host: '127.0.0.1', port: 0 }, bodyLimitBytes: 100, answer })

describe('serveHttp', () => {
  it('gives method, path, query and body, and sends the answer', async () => {
    await using server = await serve(({ method, path, query, body }) =>
      jsonAnswer(201, { method, path, token: query.get('token'), body }),
    )
    const url = `http://127.0.0.1:${server.port}/a/b?token=x%20y?z`
    const response = await fetch(url, { method: 'POST', body: 'grüß' })
    expect(response.status).toBe(201)
    expect(await response.json()).toEqual({ method: 'POST', path: '/a/b', token: 'x y?z', body: 'grüß' })
    const head = await fetch(url, { method: 'HEAD' })
    expect([head.status, await head.text()]).toEqual([201, ''])
  })

  it('answers a body over the limit with 413 and goes on', async () => {
    await using server = await serve(({ body }) => jsonAnswer(200, body.length))
    const url = `http://127.0.0.1:${server.port}/`
    const tooMuch = await fetch(url, { method: 'POST', body: 'x'.repeat(101) })
    expect(tooMuch.status).toBe(413)
    expect(await tooMuch.text()).toContain('larger than 100 bytes')
    const enough = await fetch(url, { method: 'POST', body: 'x'.repeat(100) })
    expect(await enough.json()).toBe(100)
  })

  it('answers what is thrown as JSON', async () => {
    await using server = await serve(({ path }) => {
      if (path === '/wrong') throw new AppError('USAGE', { what: 'No', why: 'not so', next: 'otherwise' })
      throw new Error('a bug')
    })
    const wrong = await fetch(`http://127.0.0.1:${server.port}/wrong`)
    expect([wrong.status, await wrong.json()]).toMatchObject([400, { error: { why: 'not so' } }])
    expect((await fetch(`http://127.0.0.1:${server.port}/bug`)).status).toBe(500)
  })

  it('streams over a unix socket and says when the reader is gone', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'http-server-'))
    try {
      const stream = new PassThrough()
      const gone = Promise.withResolvers<void>()
      const path = join(folder, 'socket')
      await using _server = await serveHttp({
        at: { path },
        bodyLimitBytes: 100,
        answer(asked) {
          asked.gone.addEventListener('abort', () => gone.resolve())
          stream.write('first\n')
          return { status: 200, headers: {}, body: stream }
        },
      })
      const sent = request({ socketPath: path, path: '/' }, (response) => {
        response.once('data', (chunk: Buffer) => {
          expect(chunk.toString()).toBe('first\n')
          sent.destroy()
        })
      })
      sent.on('error', () => undefined).end()
      await gone.promise
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('ends at once although somebody is connected and silent', async () => {
    const server = await serve(() => jsonAnswer(200, {}))
    const silent = connect(server.port, '127.0.0.1')
    await new Promise((resolve) => silent.once('connect', resolve))
    const closed = new Promise((resolve) => silent.once('close', resolve))
    await server[Symbol.asyncDispose]()
    await closed
  })
})
