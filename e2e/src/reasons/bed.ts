import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { join } from 'node:path'
import { makeTinyApp, type TinyApp } from '@caretaker/appliance/lifecycle/testing/tiny-app.fixture.ts'
import { reservePort } from '@caretaker/host/reserved-port.fixture.ts'
import { type Reply, type TestAppliance, testAppliance } from '../support/appliance.ts'
import { configure } from '../support/configure.ts'

/** An appliance with `shop` at localhost and `kiosk` at kiosk.localhost, both tiny, over HTTPS and HTTP. */
export interface Bed extends AsyncDisposable {
  readonly appliance: TestAppliance
  readonly httpPort: number
  readonly shop: TinyApp
  readonly kiosk: TinyApp
  readonly configFile: string
  /** Changes one value of the config; gives how to put it back. */
  configure(path: readonly string[], value: unknown): Promise<() => Promise<unknown>>
}

export async function openBed(): Promise<Bed> {
  const appliance = await testAppliance()
  const httpPort = await reservePort()
  const shop = await makeTinyApp(appliance.home, 'shop', { migrates: true, worker: true, job: true })
  const kiosk = await makeTinyApp(appliance.home, 'kiosk')
  const ports = `--bind 127.0.0.1 --https-port ${appliance.port} --http-port ${httpPort}`
  await appliance.ok('config', 'create', 'localhost', ...ports.split(' '))
  const configFile = join(appliance.state, 'appliance.yml')
  return {
    appliance,
    httpPort,
    shop,
    kiosk,
    configFile,
    configure: (path, value) => configure(appliance, path, value),
    [Symbol.asyncDispose]: () => appliance[Symbol.asyncDispose](),
  }
}

/** Asks whoever answers there, as a visitor whose browser accepts the certificate. */
export function visit(
  scheme: 'http' | 'https',
  port: number,
  host: string,
  accept: 'text/html' | 'application/json',
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path: '/some/page', agent: false, headers: { host, accept } }
    const sent =
      scheme === 'http'
        ? requestHttp(options)
        : requestHttps({ ...options, servername: host, rejectUnauthorized: false })
    sent.on('response', (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        body += part
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }))
      response.on('error', reject)
    })
    sent.on('error', reject)
    sent.end()
  })
}
