interface Arrow {
  /** Units whose product code it may import. */
  readonly may: readonly string[]
  /** Why no more than that. */
  readonly because: string
}

const ALL_PACKAGES = ['kernel', 'ports', 'steps', 'appliance', 'host'].map((name) => `packages/${name}`)

/** Which way the arrows point: down. A unit that is not named here may not exist. */
export const ARROWS: Readonly<Record<string, Arrow>> = {
  'packages/kernel': {
    may: [],
    because: 'everything speaks in its errors, secrets and units: what it imported, everything would import',
  },
  'packages/ports': {
    may: ['packages/kernel'],
    because: 'a port says what is needed of the machine, not who needs it nor how it is done',
  },
  'packages/steps': {
    may: ['packages/kernel', 'packages/ports'],
    because: 'the runner takes the steps of any domain: it gets them as values and knows none of them',
  },
  'packages/appliance': {
    may: ['packages/kernel', 'packages/ports', 'packages/steps'],
    because: 'it must not import host: pass a port, so that plans can be tested without a machine',
  },
  'packages/host': {
    may: ['packages/kernel', 'packages/ports', 'packages/appliance'],
    because:
      'it makes the ports real, those of the appliance (gateway, storage, runtime) too, and decides nothing',
  },
  'apps/caretaker': {
    may: ALL_PACKAGES,
    because: 'it is the one place where domain and host are put together',
  },
  e2e: { may: [...ALL_PACKAGES, 'apps/caretaker'], because: 'it looks at the whole from outside' },
  bench: { may: [...ALL_PACKAGES, 'apps/caretaker', 'e2e'], because: 'it measures the whole from outside' },
}

/** What a test may import beyond the arrows of its unit: the real ports, to be shown on the machine. */
export const TESTS_MAY_ALSO = ['packages/host']

/** Parts of Node that touch the machine. Only host may, so that all else runs on fakes. */
export const MACHINE_MODULES = [
  'fs',
  'fs/promises',
  'child_process',
  'cluster',
  'net',
  'http',
  'http2',
  'https',
  'tls',
  'dgram',
  'dns',
  'dns/promises',
  'sqlite',
  'worker_threads',
] as const
