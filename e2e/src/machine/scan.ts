import { connect } from 'node:net'

const AT_ONCE = 500
const LIMIT_MS = 5000

/** TCP ports of an address that take a connection, out of all that there are. */
export async function openPorts(address: string): Promise<readonly number[]> {
  const open: number[] = []
  let next = 1
  const worker = async () => {
    for (let port = next++; port <= 65_535; port = next++) if (await takes(address, port)) open.push(port)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return open.toSorted((a, b) => a - b)
}

function takes(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: LIMIT_MS })
    const end = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => end(true))
    socket.once('timeout', () => end(false))
    socket.once('error', () => end(false))
  })
}
