import { once } from 'node:events'
import { connect, createServer } from 'node:net'

/** Lets a machine reach a port of the host's loopback address, at the host's side of its network. */
export async function forward(
  hostAddress: string,
  url: string,
): Promise<AsyncDisposable & { readonly url: string }> {
  const target = new URL(url)
  const server = createServer((socket) => {
    const onward = connect(Number(target.port), target.hostname)
    socket.on('error', () => onward.destroy())
    onward.on('error', () => socket.destroy())
    socket.pipe(onward).pipe(socket)
  })
  server.listen(0, hostAddress)
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('it listens on no port')
  return {
    url: `http://${hostAddress}:${address.port}`,
    async [Symbol.asyncDispose]() {
      server.close()
      await once(server, 'close')
    },
  }
}
