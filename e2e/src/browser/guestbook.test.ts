import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TestAppliance } from '../support/appliance.ts'
import { type GuestbookAppliance, guestbookAppliance } from '../support/guestbook-appliance.ts'
import { unique } from '../support/guestbook-https.ts'
import { type Browser, CHROMIUM, NO_CHROMIUM, openBrowser } from './chromium.ts'

if (!CHROMIUM) console.warn(`skipped: ${NO_CHROMIUM}`)

describe.skipIf(!CHROMIUM)(`in a browser${CHROMIUM ? '' : ` (${NO_CHROMIUM})`}`, () => {
  let guestbook: GuestbookAppliance
  let appliance: TestAppliance
  let browser: Browser
  let page: Page
  beforeAll(async () => {
    guestbook = await guestbookAppliance()
    appliance = guestbook.appliance
    browser = await openBrowser(join(appliance.state, 'certificates/ca.crt'))
    page = await browser.context.newPage()
  })
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]()
    await guestbook?.[Symbol.asyncDispose]()
  })

  const name = unique('Ada')
  const bytes = unique('bytes of a file')

  /** The entry of this test with its file, as the visitor sees it. */
  async function expectEntry() {
    const entry = page.locator('article', { hasText: name })
    expect(await entry.count()).toBe(1)
    expect(await entry.innerText()).toContain('Greetings from a browser')
    const link = entry.getByRole('link', { name: 'greeting.txt' })
    const file = await page
      .context()
      .request.get(new URL((await link.getAttribute('href')) ?? '', page.url()).href, {
        // The request of the test itself, unlike the pages of the browser, knows no authority but the public ones.
        ignoreHTTPSErrors: true,
      })
    expect(await file.text()).toBe(bytes)
  }

  test('the guestbook is signed through its form, with a file', async () => {
    const answer = await page.goto(appliance.url)
    expect(answer?.status()).toBe(200)
    expect(await answer?.securityDetails()).toMatchObject({ protocol: 'TLS 1.3' })
    await page.locator('#name').fill(name)
    await page.locator('#message').fill('Greetings from a browser')
    await page
      .locator('#file')
      .setInputFiles({ name: 'greeting.txt', mimeType: 'text/plain', buffer: Buffer.from(bytes) })
    await page.getByRole('button', { name: 'Sign the guestbook' }).click()
    await page.locator('article', { hasText: name }).waitFor()
    await expectEntry()
  })

  test('after a stop and a start it is still there', async () => {
    await appliance.ok('down')
    await expect(page.goto(appliance.url)).rejects.toThrow(/ERR_CONNECTION_REFUSED/)
    await appliance.ok('up')
    await page.goto(appliance.url)
    await expectEntry()
  })

  test('in service mode the page says why, and comes back by itself', async () => {
    await appliance.ok('service', 'on', 'Moving to a <new> disk')
    const answer = await page.goto(appliance.url)
    expect(answer?.status()).toBe(503)
    expect(await page.title()).toContain('Service not available')
    expect(await page.locator('body').innerText()).toContain('Moving to a <new> disk')
    expect(await page.locator('meta[http-equiv="refresh"]').count()).toBe(1)
    await appliance.ok('service', 'off')
    await page.reload()
    await expectEntry()
  })

  test('the state page opens by its link, shows the state, and follows it', async () => {
    const daemon = await appliance.daemon()
    const violations: string[] = []
    page.on('console', (message) => {
      if (message.type() === 'error') violations.push(message.text())
    })
    const link = (await appliance.ok('page')).stdout.trim()
    await page.goto(link)
    expect(new URL(page.url()).pathname).toBe('/')
    expect(await page.locator('header .state').innerText()).toMatch(/^running/)
    expect(await page.getByRole('row', { name: /guestbook 1 serving/ }).count()).toBe(1)
    // The style sheet was let in by the content security policy.
    expect(await page.evaluate('getComputedStyle(document.querySelector("header")).borderLeftWidth')).toBe(
      '4px',
    )
    await appliance.ok('service', 'on', 'A rest')
    await page.getByText('manual-service').waitFor()
    expect(violations).toEqual([])
    expect((await page.goto(link))?.status()).toBe(403)
    await daemon.stop()
  })
})
