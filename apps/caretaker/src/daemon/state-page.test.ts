import type { OperationSummary } from '@caretaker/steps/operations.ts'
import { describe, expect, it } from 'vitest'
import type { StateReport } from '../cli/report-state.ts'
import { renderStatePage } from './state-page.ts'

/** Would run, break out of an attribute, or close an element. */
const HOSTILE = `"'><script>alert(1)</script><img src=x onerror=alert(2)>&amp;`

const REPORT: StateReport = {
  state: 'degraded',
  code: 'SERVICE_CRASH_LOOP',
  what: 'guestbook: it does not stay up',
  reason: 'guestbook: it ends again and again',
  next: 'caretaker logs guestbook',
  since: '2026-11-20T09:00:00.000Z',
  until: null,
  serving: true,
  parts: [{ part: 'guestbook', code: 'X', reason: 'r', next: 'n', since: '2026-11-20T09:00:00.000Z' }],
  appliance: {
    id: 'id',
    domain: 'example.org',
    config_file: '/etc/a.yml',
    state_folder: '/var/lib/caretaker',
    config_changed: false,
  },
  daemon: { running: true, pid: 1 },
  gateway: { running: true, pid: 2, address: '0.0.0.0:443' },
  certificates: [],
  apps: [
    {
      app: 'guestbook',
      version: '1',
      release: 'r',
      url: 'https://guestbook.example.org',
      clone: null,
      notice: null,
      state: 'serving',
      services: [{ service: 'web', state: 'running', pid: 3 }],
    },
  ],
  storage: {
    backend: 'directory',
    folder: '/data',
    instant_snapshots: false,
    total_bytes: 2048,
    available_bytes: 1024,
    reserve_bytes: 0,
    metadata_available_bytes: null,
  },
  locked_by: null,
  unfinished_operations: [],
  exit_code: 3,
}
const OPERATIONS: readonly OperationSummary[] = [
  {
    operation: 'o',
    name: 'up',
    purpose: 'start guestbook',
    user: 'ada',
    via: 'command line',
    started_at: '2026-11-20T09:00:00.000Z',
    ended_at: undefined,
    state: 'done',
  },
]
const NOW = new Date('2026-11-20T10:00:00Z')
const page = (report: StateReport = REPORT, operations = OPERATIONS) =>
  renderStatePage(report, operations, NOW)

/** The value with every text in it replaced. */
function withHostileTexts<T>(value: T): T {
  if (typeof value === 'string') return HOSTILE as T
  if (Array.isArray(value)) return value.map(withHostileTexts) as T
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(
      Object.entries(value).map(([key, entry]) => [key, withHostileTexts(entry)]),
    ) as T
  }
  return value
}

const tagsOf = (text: string) => [
  ...new Set([...text.matchAll(/<\/?([a-z0-9!]+)/g)].map(([, tag = '']) => tag)),
]

describe('the state page', () => {
  it('says the state, why, what next, and how every part stands', () => {
    const text = page()
    for (const said of [
      'degraded',
      'guestbook: it ends again and again',
      'caretaker logs guestbook',
      'https://guestbook.example.org',
      'pid 3',
      '/etc/a.yml',
      '1.0 KiB of 2.0 KiB free',
      'start guestbook',
    ])
      expect(text).toContain(said)
    expect(text).toMatch(/^<!doctype html>/)
    expect(text).toContain('<title>degraded · example.org</title>')
  })

  it('escapes every text, whoever wrote it', () => {
    const text = page(withHostileTexts({ ...REPORT, until: 'x' }), withHostileTexts(OPERATIONS))
    expect(text).not.toMatch(/<script|<img|onerror=alert\(2\)>[^&]/)
    // The one element that goes is the link: the hostile address is none.
    expect([...tagsOf(text), 'a'].toSorted()).toEqual(tagsOf(page({ ...REPORT, until: 'x' })).toSorted())
    expect(text.match(/&lt;script&gt;/g)?.length).toBeGreaterThan(15)
  })

  it('makes no link of an address that is none', () => {
    const [app] = REPORT.apps
    const text = page({
      ...REPORT,
      apps: [{ ...(app as (typeof REPORT.apps)[0]), url: 'javascript:alert(1)' }],
    })
    expect(text).not.toContain('href="javascript')
  })

  it('names the reason while there is no config', () => {
    const nothing = {
      id: null,
      domain: null,
      config_file: null,
      state_folder: '/var/lib/caretaker',
      config_changed: false,
    }
    const text = page(
      {
        ...REPORT,
        state: 'unconfigured',
        reason: 'No config found: looked at /a',
        apps: [],
        parts: [],
        storage: null,
        serving: false,
        appliance: nothing,
      },
      [],
    )
    expect(text).toContain('unconfigured')
    expect(text).toContain('looked at /a')
    expect(text).toContain('/var/lib/caretaker')
    expect(text).toContain('<header class="bad">')
  })

  it('shows no control character of an application', () => {
    const text = page({ ...REPORT, reason: 'it wrote \u001b[31mred\u202e' })
    expect(text).toContain('it wrote ?[31mred?')
    // oxlint-disable-next-line no-control-regex
    expect(text).not.toMatch(/[\u001b\u202e]/)
  })

  it('shows no password that found its way into a reason', () => {
    expect(page({ ...REPORT, reason: 'postgresql://web:hunter2@localhost/db refused' })).not.toContain(
      'hunter2',
    )
  })

  it('loads nothing from elsewhere and runs no script', () => {
    expect(page()).not.toMatch(/<script|src=|@import|url\(/)
  })
})
