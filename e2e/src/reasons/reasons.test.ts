import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { escapeHtml } from '@caretaker/kernel/html.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ROOT, type StatusDocument } from '../support/appliance.ts'
import { eventually } from '../support/observe.ts'
import { type Bed, openBed, visit } from './bed.ts'
import { CASES, HOSTILE, nothing, type ReasonCase } from './cases.ts'
import { type Observed, reasonsPage } from './page.ts'

type Status = StatusDocument & {
  readonly until: string | null
  readonly serving: boolean
  readonly what: string
}

/** How often the service page says to come back while no end is planned, in seconds. */
const USUAL_RETRY = [30, 30] as const

let bed: Bed
const rows: Observed[] = []
beforeAll(async () => {
  bed = await openBed()
})
afterAll(() => bed?.[Symbol.asyncDispose]())

// Each case waits up to four times.
describe('a reason is said alike everywhere', { timeout: 300_000 }, () => {
  test.each(CASES)('$state $code: $cause', async (entry) => {
    const { appliance } = bed
    const undos = [await entry.plant(bed)]
    const daemon = entry.alone ? undefined : await appliance.daemon()
    try {
      if (entry.act || entry.command) await untilSettled()
      undos.push((await entry.act?.(bed)) ?? nothing)
      if (entry.command) await appliance.ok(...entry.command)
      await eventually(`${entry.state} ${entry.code}`, async () => {
        const { state, code } = await appliance.json<Status>('status')
        if (state !== entry.state || code !== entry.code) throw new Error(`${state} ${code}`)
        return true
      })
      // Status looks for itself; the gateway is told a moment later.
      await eventually('everybody says the same', async () => rows.push(await observe(entry)) > 0)
    } finally {
      await daemon?.stop()
      for (const undo of undos) await undo()
    }
  })

  test('and docs/reasons.md tells what was seen', async () => {
    const file = join(ROOT, 'docs/reasons.md')
    const page = reasonsPage(rows, [bed.appliance.state, bed.appliance.home], [bed.appliance.port])
    if (process.env['UPDATE_GOLDENS']) await writeFile(file, page)
    expect(rows).toHaveLength(CASES.length)
    expect(
      await readFile(file, 'utf8'),
      'The page differs from what was seen. Write it anew and look at the diff: UPDATE_GOLDENS=1 node_modules/.bin/vitest run --project real e2e/src/reasons',
    ).toBe(page)
  })
})

/** A person types after the start is over. */
const untilSettled = () =>
  eventually('the start is over', async () =>
    ['running', 'degraded'].includes((await bed.appliance.json<Status>('status')).state),
  )

async function observe(entry: ReasonCase): Promise<Observed> {
  const { appliance } = bed
  const status = await appliance.json<Status>('status')
  expect(status).toMatchObject({ state: entry.state, code: entry.code })
  const text = await appliance.run('status')
  expect(text.code, 'exit code of status').toBe(status.exit_code)
  expect(text.stdout).toContain(status.state)
  expect(text.stdout).toContain(status.reason)
  expect(text.stdout).toContain(status.next)
  expect(text.stderr).toBe('')
  expect(status.reason).toContain(entry.says ?? '')
  if (status.until !== null) expect(text.stdout).toContain(status.until)
  if (entry.command?.includes('--until')) expect(status.until).toBe(entry.command.at(-1))
  if (!(entry.alone || entry.notYetInLog)) await seenInLog(status)
  await seenByVisitors(entry, status)
  const visitors = entry.host === undefined ? status.what : partOf(entry, status)?.what
  return { ...entry, ...status, visitors: visitors ?? '' }
}

/** The log of the daemon has a line with this code and the reason, as one JSON value each. */
async function seenInLog(status: Status): Promise<void> {
  await eventually('the log tells the reason', async () => {
    const log = await readFile(join(bed.appliance.state, 'logs/appliance/daemon.log'), 'utf8')
    const lines = log
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, string>)
    return lines.some(({ code, reason, what, why }) => {
      const said = reason ?? (what === undefined ? '' : `${what}: ${why}`)
      return code === status.code && withoutNumbers(status.reason).includes(withoutNumbers(said))
    })
  })
}

/** Somebody else may fill or empty the disk between two looks. */
const withoutNumbers = (text: string) => text.replaceAll(/\d+(\.\d+)?/g, 'N')

async function seenByVisitors(entry: ReasonCase, status: Status): Promise<void> {
  if (entry.visitor === 'nothing') {
    await expect(visit('https', bed.appliance.port, 'localhost', 'text/html')).rejects.toThrow(
      /ECONN|socket|SSL|wrong version/i,
    )
    return
  }
  if (entry.visitor === 'application') {
    const reply = await visit('https', bed.appliance.port, 'localhost', 'text/html')
    expect(reply.status).toBe(200)
    expect(reply.body).toContain('greeting')
  }
  if (entry.visitor === 'application' && entry.host === undefined) return
  const { https, http } = await addresses(entry)
  const host = entry.host ?? 'localhost'
  const part = partOf(entry, status)
  const said = entry.host === undefined ? status : part
  // The same value as in `status`, without the details.
  const reason = said?.what ?? ''
  expect(reason).not.toBe('')
  expect(said?.reason.startsWith(reason)).toBe(true)
  if (said?.reason !== reason) expect(reason).not.toMatch(/\/|\bpid\b|\d{2,}/)
  for (const scheme of entry.host === undefined ? (['https', 'http'] as const) : (['https'] as const)) {
    const port = scheme === 'https' ? https : http
    const html = await visit(scheme, port, host, 'text/html')
    expect(html.status).toBe(503)
    expect(html.body).toContain('<h1>Service not available</h1>')
    expect(html.body).toContain(`<p>${escapeHtml(reason)}</p>`)
    expect(html.body).not.toContain('<script')
    expect(html.body).not.toMatch(/(src|href)=/)
    expect(html.body.includes('Planned end')).toBe(status.until !== null)
    const [least, most] = entry.retryAfter ?? USUAL_RETRY
    expect(Number(html.headers['retry-after'])).toBeGreaterThanOrEqual(least)
    expect(Number(html.headers['retry-after'])).toBeLessThanOrEqual(most)
    const json = await visit(scheme, port, host, 'application/json')
    expect(json.status).toBe(503)
    expect(json.headers['content-type']).toContain('application/json')
    expect(JSON.parse(json.body)).toMatchObject({ code: status.code, reason, until: status.until })
    if (entry.says === HOSTILE) expect(JSON.parse(json.body).reason).toBe(HOSTILE)
    const { home } = bed.appliance
    expect(html.body + json.body, 'where things lie on this machine').not.toContain(home)
    // What to type is for the person responsible alone.
    if (status.next !== '')
      expect(html.body + json.body).not.toContain(JSON.stringify(status.next).slice(1, -1))
  }
}

const partOf = (entry: ReasonCase, status: Status) => status.parts.find(({ code }) => code === entry.code)

/** Where the gateway listens: without a config at the ports where people look first. */
async function addresses(entry: ReasonCase): Promise<{ https: number; http: number }> {
  if (entry.state !== 'unconfigured') return { https: bed.appliance.port, http: bed.httpPort }
  return process.getuid?.() === 0 ? { https: 443, http: 80 } : { https: 8443, http: 8080 }
}
