import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import type { Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import type { GatewayPaths, GatewayStatus } from '@caretaker/appliance/gateway/gateway.ts'
import type { GatewayConfig } from '@caretaker/appliance/gateway/gateway-config.ts'
import { parseGatewayConfig } from '@caretaker/appliance/gateway/parse-config.ts'
import { AppError, isAppError, toAppError } from '@caretaker/kernel/errors.ts'
import { hashOf } from '@caretaker/kernel/json.ts'
import { SECOND_MS } from '@caretaker/kernel/time.ts'
import { CaddyEntrance } from './caddy/caddy-entrance.ts'
import { type CertificateStore, loadCertificates, selfSignedStore } from './certificate-store.ts'
import { serveControl } from './control.ts'
import { parseDrainCall, parseHoldCall, parseReleaseCall } from './control-calls.ts'
import type { Arrivals, Entrance } from './entrance.ts'
import { requestExchange, upgradeExchange } from './exchange.ts'
import { Front } from './front.ts'
import { MAX_PIPELINED } from './limits.ts'
import { Listeners } from './listeners.ts'
import type { LogLine } from './refusal-log.ts'
import { type FallbackEndpoints, readStoredConfig } from './stored-config.ts'

export interface GatewayOptions {
  readonly paths: GatewayPaths
  /** Where to serve the service page while there is no usable config. */
  readonly fallback: FallbackEndpoints
  /** One line of JSON per request; absent: requests are only counted. */
  readonly accessLog?: LogLine
  /** One line of JSON for what is no request, as a connection refused. */
  readonly log?: LogLine
}

export interface RunningGateway {
  status(): GatewayStatus
  /** Takes no more requests, waits up to `graceMs` [10 s] for those under way, then ends all. */
  close(graceMs?: number): Promise<void>
}

const GRACE_MS = 10 * SECOND_MS

/**
 * Runs the embedded gateway in this process until `close`. It comes up without a usable config, certificate or
 * HTTP port (its status says so), but not without its HTTPS port and its control socket.
 * @throws AppError PORT_IN_USE, NO_PERMISSION, GATEWAY_START_FAILED, which also lies in `paths.failureFile` for
 * those who ask later; STATE_IN_USE when a gateway runs there already.
 */
export async function runGateway(options: GatewayOptions): Promise<RunningGateway> {
  const gateway = new EmbeddedGateway(options)
  try {
    await mkdir(options.paths.folder, { recursive: true, mode: 0o700 })
    await gateway.start()
    await rm(options.paths.failureFile, { force: true })
    return gateway
  } catch (error) {
    const reported = toAppError(error)
    await gateway.close(0)
    if (reported.code !== 'STATE_IN_USE') await leaveFailure(options.paths.failureFile, reported)
    throw reported
  }
}

/** Best effort: a full disk must not hide the error itself. */
async function leaveFailure(path: string, error: AppError): Promise<void> {
  const text = `${JSON.stringify(error.toReport())}\n`
  await writeFile(path, text, { mode: 0o600 }).catch(() => undefined)
}

class EmbeddedGateway implements RunningGateway {
  readonly #options: GatewayOptions
  readonly #startedAt = new Date()
  readonly #front: Front
  #entrance: Entrance | undefined
  #certificates: CertificateStore | undefined
  #config: GatewayConfig | undefined
  #configHash: string | undefined
  #problems: AppError[] = []
  #control: Server | undefined
  #applying: Promise<unknown> = Promise.resolve()

  constructor(options: GatewayOptions) {
    this.#options = options
    const { accessLog, log, paths } = options
    this.#front = new Front({
      accessLog,
      log,
      publicPort: () => this.#publicPort(),
      challengeAnswer: (token) => readFile(join(paths.challengeFolder, token), 'utf8').catch(() => undefined),
    })
  }

  async start(): Promise<void> {
    // First, so that a second gateway on the same state folder ends before it touches a port.
    this.#control = await serveControl(this.#options.paths.controlSocket, {
      'GET /status': () => this.status(),
      'PUT /config': (body) => this.#apply(parseGatewayConfig(body)),
      'POST /hold': (body) => {
        const { app, limitMs } = parseHoldCall(body)
        this.#front.traffic(app).hold(limitMs)
      },
      'POST /release': (body) => this.#front.traffic(parseReleaseCall(body).app).release(),
      'POST /drain': async (body) => {
        const { app, timeoutMs, streams } = parseDrainCall(body)
        return { open: await this.#front.traffic(app).drained(timeoutMs, streams) }
      },
    })
    await this.#inTurn(async () => {
      const { config, stored, problem } = await readStoredConfig(
        this.#options.paths.configFile,
        this.#options.fallback,
      )
      if (problem) this.#problems.push(problem)
      const certificates = await this.#certificatesOrSelfSigned(config)
      const { caddy } = this.#options.paths
      const entrance =
        config.engine === 'caddy'
          ? new CaddyEntrance(this.#arrivals(), caddy)
          : new Listeners(this.#arrivals(), certificates)
      this.#entrance = entrance
      this.#front.use(config)
      const isWhole = await this.#orProblem(async () => {
        await entrance.change(config, certificates)
        return true
      })
      // Without its HTTP port it comes up all the same, and says so.
      if (!isWhole) await entrance.change({ ...config, http: undefined }, certificates)
      this.#certificates = certificates
      this.#config = config
      this.#configHash = stored ? hashOf(config) : undefined
    })
  }

  status(): GatewayStatus {
    return {
      pid: process.pid,
      engine: this.#config?.engine ?? 'embedded',
      startedAt: this.#startedAt.toISOString(),
      configHash: this.#configHash,
      http: this.#entrance?.address('http'),
      https: this.#entrance?.address('https'),
      service: this.#config?.service,
      ...this.#front.counts(),
      certificates: this.#certificates?.served ?? [],
      problems: this.#problems.map((problem) => problem.toReport()),
    }
  }

  async close(graceMs = GRACE_MS): Promise<void> {
    this.#front.close()
    const ended = this.#entrance?.close()
    const over = setTimeout(() => {
      this.#front.destroy()
      this.#entrance?.destroy()
    }, graceMs)
    await ended
    clearTimeout(over)
    this.#front.destroy()
    this.#control?.closeAllConnections()
    await new Promise<void>((resolve) => {
      if (this.#control) this.#control.close(() => resolve())
      else resolve()
    })
  }

  /** All or nothing: what can fail comes before anything changes. */
  async #apply(config: GatewayConfig): Promise<void> {
    await this.#inTurn(async () => {
      const certificates = await loadCertificates(config)
      if (this.#config && config.engine !== this.#config.engine) throw otherEngine()
      await this.#entrance?.change(config, certificates)
      this.#entrance?.show(certificates)
      this.#front.use(config)
      this.#certificates = certificates
      this.#config = config
      this.#configHash = hashOf(config)
      this.#problems = []
    })
  }

  async #certificatesOrSelfSigned(config: GatewayConfig): Promise<CertificateStore> {
    const hosts = config.routes.flatMap((route) => route.hosts)
    return (await this.#orProblem(() => loadCertificates(config))) ?? (await selfSignedStore(hosts))
  }

  /** Runs what the gateway can live without. */
  async #orProblem<T>(action: () => Promise<T>): Promise<T | undefined> {
    try {
      return await action()
    } catch (error) {
      if (!isAppError(error)) throw error
      this.#problems.push(error)
      return undefined
    }
  }

  #arrivals(): Arrivals {
    /** The answers under way on each connection. */
    const answers = new WeakMap<object, Set<ServerResponse>>()
    return {
      onConnection: (socket, accept) => this.#front.take(socket, accept),
      onRequest: (request, response, sender) => {
        const { socket } = request
        const underWay = answers.get(socket) ?? new Set()
        answers.set(socket, underWay.add(response))
        response.once('close', () => underWay.delete(response))
        if (underWay.size > MAX_PIPELINED) socket.destroy()
        else this.#front.answer(requestExchange(request, response, sender))
      },
      onUpgrade: (request, socket, head, sender) => {
        // The websocket's bytes would mix with the answers that are still to come.
        if (answers.get(socket)?.size) socket.destroy()
        else this.#front.answer(upgradeExchange(request, socket, head, sender))
      },
      onGarbage: (error, socket) => {
        const underWay = [...(answers.get(socket) ?? [])]
        const isWritten = underWay.length > 0 && underWay.every((answer) => answer.writableEnded)
        // What was answered already shall arrive; anything more would be read as part of it.
        if (isWritten) (socket as Socket).destroySoon()
        else this.#front.garbage(error, socket, underWay.length > 0)
      },
    }
  }

  #publicPort(): number {
    return this.#config?.publicHttpsPort ?? this.#entrance?.address('https')?.port ?? 443
  }

  async #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#applying.then(action, action)
    this.#applying = result.catch(() => undefined)
    return await result
  }
}

function otherEngine(): AppError {
  return new AppError('GATEWAY_CONFIG_REFUSED', {
    what: 'The gateway did not change its engine',
    why: 'what holds the ports changes only with a new start',
    next: 'Run "caretaker up"; it starts the gateway anew',
  })
}
