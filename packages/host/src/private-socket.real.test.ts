import { once } from 'node:events'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { listenPrivately } from './private-socket.ts'

test('a socket is nobody else’s from its first moment, and the umask is as before', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'private-socket-'))
  const before = process.umask(0)
  const server = createServer()
  try {
    const listening = listenPrivately(server, { path: join(folder, 'socket') })
    expect(process.umask()).toBe(0)
    await listening
    expect((await stat(join(folder, 'socket'))).mode & 0o077).toBe(0)
  } finally {
    process.umask(before)
    server.close()
    await once(server, 'close')
    await rm(folder, { recursive: true })
  }
})
