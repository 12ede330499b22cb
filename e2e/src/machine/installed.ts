import { readFile, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { join } from 'node:path'
import { DIST, type HttpsOptions, type Reply } from '../support/appliance.ts'
import type { Outcome } from './commands.ts'
import { bootMachine, type Machine, type MachineOptions } from './machine.ts'

/** Where a machine sees the built program, as unpacked there. */
export const RELEASE = '/mnt/release'
export const DOMAIN = 'example.org'
const COMMAND_LIMIT_MS = 150_000

/** A machine with the built program at {@link RELEASE}, and what a person does there. */
export interface InstalledMachine extends AsyncDisposable {
  readonly machine: Machine
  /** `caretaker install` of the build at this path inside. */
  install(release?: string): Promise<Outcome>
  /** Runs the installed command. */
  caretaker(...words: readonly string[]): Promise<Outcome>
  /** Its standard output; it must succeed. */
  ok(...words: readonly string[]): Promise<string>
  /** A request from the host's side over HTTPS to a host of the domain, trusting the appliance's own authority only. */
  request(path: string, options?: HttpsOptions): Promise<Reply>
  /** Pids inside the machine of gateway, Postgres and services. */
  pids(): Promise<Readonly<Record<string, number>>>
}

/** Boots a machine on which nothing is installed yet. `host` is whom requests ask for. */
export async function machineWithRelease(
  host: string,
  options: MachineOptions = {},
): Promise<InstalledMachine> {
  const machine = await bootMachine({ ...options, readOnly: { [RELEASE]: DIST, ...options.readOnly } })
  // Packages of applications are fetched through whatever authority this network has.
  const settings = join(machine.root, 'etc/default/caretaker')
  await writeFile(settings, 'NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt\n')
  const caretaker = (...words: readonly string[]) =>
    machine.run(['caretaker', ...words], { timeoutMs: COMMAND_LIMIT_MS })
  const ok = async (...words: readonly string[]) => {
    const { code, stdout, stderr } = await caretaker(...words)
    if (code === 0) return stdout
    throw new Error(`caretaker ${words.join(' ')} ended with ${code}:\n${stdout}\n${stderr}`)
  }
  return {
    machine,
    install: (release = RELEASE) =>
      machine.run([`${release}/bin/caretaker`, 'install'], { timeoutMs: COMMAND_LIMIT_MS }),
    caretaker,
    ok,
    request: async (path, { send, ...rest } = {}) => {
      const ca = await readFile(join(machine.root, 'var/lib/caretaker/certificates/ca.crt'))
      const { promise, resolve, reject } = Promise.withResolvers<Reply>()
      const sent = request(
        {
          host: machine.address,
          path,
          ca,
          servername: host,
          agent: false,
          timeout: 10_000,
          ...rest,
          headers: { host, ...rest.headers },
        },
        (response) => {
          let body = ''
          response.setEncoding('utf8').on('data', (part: string) => (body += part))
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
          )
          response.on('error', reject)
        },
      )
      sent.on('timeout', () => sent.destroy(new Error(`no answer to ${path} in 10 s`)))
      sent.on('error', reject)
      sent.end(send)
      return promise
    },
    async pids() {
      const { gateway, apps } = JSON.parse(await ok('status', '--json')) as {
        readonly gateway: { readonly pid: number | null }
        readonly apps: readonly {
          readonly services: readonly { readonly service: string; readonly pid: number | null }[]
        }[]
      }
      const services = apps.flatMap((app) =>
        app.services.map(({ service, pid }) => [service, pid ?? 0] as const),
      )
      return Object.fromEntries([['gateway', gateway.pid ?? 0], ...services])
    },
    [Symbol.asyncDispose]: () => machine[Symbol.asyncDispose](),
  }
}
