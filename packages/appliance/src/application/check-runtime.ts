import { assertNever } from '@caretaker/kernel/assert.ts'
import type { KeyPath } from '../config/problem.ts'
import type { Application, Service } from './application.ts'
import { type Problem, problemsError, refused } from './problems.ts'

/** What runs the services: containers, or processes of this machine. */
export type RuntimeName = 'docker' | 'process'

/** What this runtime cannot honour of an application, each with the key path in its compose file. */
export function runtimeProblems(app: Application, runtime: RuntimeName): readonly Problem[] {
  switch (runtime) {
    case 'docker':
      return []
    case 'process':
      return app.services.flatMap((service) => processProblems(service))
    default:
      return assertNever(runtime)
  }
}

/**
 * @param file the compose file, for the message.
 * @throws AppError COMPOSE_KEY_REFUSED when the runtime cannot honour all of the application.
 */
export function checkRuntime(app: Application, runtime: RuntimeName, file: string): void {
  const [first, ...others] = runtimeProblems(app, runtime)
  if (first) throw problemsError(app.name, [first, ...others], () => ({ file }))
}

/** What a process is called with: entrypoint and command in one. For services that passed {@link checkRuntime}. */
export function processArguments(service: Service): readonly string[] {
  const parts = [service.entrypoint ?? [], service.command ?? []]
  if (parts.some((part) => typeof part === 'string'))
    throw new Error(`service ${service.name} has a shell command`)
  return parts.flat()
}

const USE_DOCKER = 'Use the docker runtime, or change the compose file'

function processProblems(service: Service): readonly Problem[] {
  const path = (...rest: readonly (string | number)[]): KeyPath => ['services', service.name, ...rest]
  const problems: Problem[] = []
  const refuse = (where: KeyPath, why: string, next: string): void =>
    void problems.push(refused(where, why, next))

  if (!service.build) {
    refuse(
      path(service.image === undefined ? 'build' : 'image'),
      'a service runs as a process only if it has "build.context"; images need containers',
      'Add "build: ." with the source of the service, or use the docker runtime',
    )
  }
  if (Object.keys(service.build?.args ?? {}).length > 0) {
    refuse(path('build', 'args'), 'nothing but Node dependencies is built for a process', USE_DOCKER)
  }
  for (const key of ['entrypoint', 'command'] as const) {
    if (typeof service[key] === 'string') {
      refuse(
        path(key),
        'a process is called without a shell',
        'Write it as an array, as ["node", "server.js"]',
      )
    }
  }
  if (service.build && service.command === undefined && service.entrypoint === undefined) {
    refuse(
      path('command'),
      'a service runs as a process only if it has an array command',
      'Add "command: [...]"',
    )
  }
  if (typeof service.healthcheck?.test === 'string') {
    refuse(
      path('healthcheck', 'test'),
      'a process is checked without a shell',
      'Write it as ["CMD", "node", "health.js"]',
    )
  }
  if (service.user !== undefined) {
    refuse(path('user'), 'processes run as the user of the appliance', `Remove it. ${USE_DOCKER}`)
  }
  for (const key of Object.keys(service.container)) {
    refuse(path(key), 'only a container can be held to it', `Remove it. ${USE_DOCKER}`)
  }
  if (service.workingDir?.startsWith('/') || service.workingDir?.split('/').includes('..')) {
    refuse(
      path('working_dir'),
      'a process starts inside its build context',
      'Write a path relative to the context',
    )
  }
  if (service.ports.length > 1) {
    refuse(
      path('expose'),
      `a process listens on one port, which it reads from PORT; ${service.ports.join(' and ')} are named`,
      'Serve everything on one port, or use the docker runtime',
    )
  }
  service.mounts.forEach((mount, index) => {
    if (mount.readOnly) {
      refuse(path('volumes', index), 'a process cannot be kept from writing to a volume', 'Remove "ro"')
    }
  })
  service.secrets.forEach((secret, index) => {
    if (secret.target !== secret.secret) {
      refuse(
        path('secrets', index, 'target'),
        'a process reads the path from <SECRET>_FILE',
        'Remove "target"',
      )
    }
  })
  return problems
}
