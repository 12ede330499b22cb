import type { Secret } from '@caretaker/kernel/secrets.ts'
import { SECOND_MS } from '@caretaker/kernel/time.ts'
import type { Clock } from '@caretaker/ports/clock.ts'
import type { Network } from '@caretaker/ports/network.ts'
import type { Client, Order } from 'acme-client'
import { OrderGone } from './failure.ts'
import { type ProblemDocument, readProblem } from './problem.ts'
import { AcmeTransport } from './transport.ts'

const FIRST_LOOK_MS = 250
const LONGEST_PAUSE_MS = 15 * SECOND_MS

export interface AcmeSettings {
  readonly directory: string
  readonly accountKey: Secret
  /** From an earlier {@link AcmeSession.register}. */
  readonly accountUrl?: string | undefined
  readonly externalAccount?: { readonly keyId: string; readonly hmacKey: Secret } | undefined
  /** PEM of the authority behind the TLS of the directory; undefined: the public ones. */
  readonly ca?: string | undefined
}

export interface AcmeOrder {
  readonly url: string
  readonly status: string
  readonly problem: ProblemDocument | undefined
}

/** What has to be proved, and how: `http-01`: `token` and what it must answer; `dns-01`: the value of the record. */
export interface AcmeProof {
  readonly host: string
  readonly wildcard: boolean
  readonly token: string
  readonly answer: string
  /** Tells the server that it is in place. */
  ready(): Promise<void>
}

export interface AcmeAuthorization {
  readonly host: string
  readonly status: string
  /** Undefined when there is nothing to prove any more, or the server does not offer the kind that was asked for. */
  readonly proof: AcmeProof | undefined
  readonly problem: ProblemDocument | undefined
}

/** One conversation with an ACME server (RFC 8555). Throws AcmeProblem, AcmeUnreachable and OrderGone. */
export interface AcmeSession {
  /** Registers the account of the key, or finds it; gives its address. */
  register(email: string): Promise<string>
  order(hosts: readonly string[]): Promise<AcmeOrder>
  look(orderUrl: string): Promise<AcmeOrder>
  authorizations(orderUrl: string, kind: 'http-01' | 'dns-01'): Promise<readonly AcmeAuthorization[]>
  finalize(orderUrl: string, hosts: readonly string[], key: Secret): Promise<void>
  /** The certificate of a valid order with its chain, as PEM. */
  download(orderUrl: string): Promise<string>
  /** Asks again and again, as often as the server wants it, until `settled` gives something or the time is over. */
  poll<T>(
    ask: () => Promise<T>,
    settled: (found: T) => boolean,
    limitMs: number,
    signal: AbortSignal,
  ): Promise<T>
}

/** Loads the library, which takes a while, and talks to nobody yet. */
export async function openAcmeSession(
  deps: { readonly network: Pick<Network, 'request'>; readonly clock: Clock },
  settings: AcmeSettings,
): Promise<AcmeSession> {
  const library = await import('./library.ts')
  const transport = new AcmeTransport(deps, settings.ca)
  const { externalAccount } = settings
  const client: Client = new library.Client({
    directoryUrl: settings.directory,
    accountKey: settings.accountKey.reveal(),
    ...(settings.accountUrl === undefined ? {} : { accountUrl: settings.accountUrl }),
    ...(externalAccount
      ? {
          externalAccountBinding: {
            kid: externalAccount.keyId,
            hmacKey: externalAccount.hmacKey.reveal(),
          },
        }
      : {}),
  })
  // How often a nonce is tried anew is the transport's to say.
  ;(client as unknown as { http: { maxBadNonceRetries: number } }).http.maxBadNonceRetries =
    Number.POSITIVE_INFINITY
  const call = async <T>(work: () => Promise<T>): Promise<T> => {
    const result = await transport.run(library, work)
    transport.taken()
    return result
  }
  const orderAt = async (url: string): Promise<Order> => call(() => client.getOrder({ url } as Order))
  const authorizationsAt = async (url: string) => {
    const order = await orderAt(url)
    return call(() => client.getAuthorizations(order))
  }
  return {
    async register(email) {
      await call(() => client.createAccount({ termsOfServiceAgreed: true, contact: [`mailto:${email}`] }))
      return client.getAccountUrl()
    },
    async order(hosts) {
      const identifiers = hosts.map((value) => ({ type: 'dns', value }))
      return orderOf(await call(() => client.createOrder({ identifiers })))
    },
    look: async (url) => orderOf(await orderAt(url)),
    async authorizations(url, kind) {
      const found = await authorizationsAt(url)
      return Promise.all(
        found.map(async (entry): Promise<AcmeAuthorization> => {
          const challenge = entry.challenges.find(({ type }) => type === kind)
          const failed = entry.challenges.find(({ status }) => status === 'invalid')
          const host = entry.identifier.value
          const proof =
            entry.status === 'pending' && challenge
              ? {
                  host,
                  wildcard: entry.wildcard === true,
                  token: challenge.token,
                  answer: await client.getChallengeKeyAuthorization(challenge),
                  async ready() {
                    if (challenge.status === 'pending') await call(() => client.completeChallenge(challenge))
                  },
                }
              : undefined
          return { host, status: entry.status, proof, problem: readProblem(failed?.error) }
        }),
      )
    },
    async finalize(url, hosts, key) {
      const [, csr] = await library.crypto.createCsr({ altNames: [...hosts] }, key.reveal())
      const order = await orderAt(url)
      if (order.status === 'ready') await call(() => client.finalizeOrder(order, csr))
      else if (order.status !== 'processing' && order.status !== 'valid') throw new OrderGone(order.status)
    },
    async download(url) {
      const order = await orderAt(url)
      if (order.status !== 'valid') throw new OrderGone(order.status)
      return call(() => client.getCertificate(order))
    },
    async poll(ask, settled, limitMs, signal) {
      const deadline = deps.clock.monotonicMs() + limitMs
      let pauseMs = FIRST_LOOK_MS
      for (;;) {
        const found = await ask()
        const leftMs = deadline - deps.clock.monotonicMs()
        if (settled(found) || leftMs <= 0 || signal.aborted) return found
        const wantedMs = Math.max(pauseMs, transport.retryAfterMs ?? 0)
        await deps.clock.wait(Math.min(wantedMs, LONGEST_PAUSE_MS, leftMs), signal)
        pauseMs = Math.min(pauseMs * 1.5, LONGEST_PAUSE_MS)
      }
    },
  }
}

function orderOf(order: Order): AcmeOrder {
  const { error } = order as { error?: unknown }
  return { url: order.url, status: order.status, problem: readProblem(error) }
}
