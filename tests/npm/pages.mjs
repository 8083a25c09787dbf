// Opens pages in a headless Chromium and tells what it finds there: one JSON document on standard output.
//
// Standard input is `{browser, pages: [{url, width, dark?, password?, screenshot?}]}`. Of each page it tells the `status`, how long
// it took (`millis`), what the browser has to say (`messages`: errors, and what the page's own policy has refused), what axe finds
// (`findings`), the width that the page takes (`taken`), whether its style sheet is in use (`styled`), its `text`, its `links`, and the names of its `elements`.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { chromium } from 'playwright-core'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const { browser: executablePath, pages } = JSON.parse(readFileSync(0, 'utf8'))
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
const told = []
for (const { url, width, dark, password, screenshot } of pages) {
  const context = await browser.newContext({
    viewport: { width, height: 900 },
    colorScheme: dark ? 'dark' : 'light',
    httpCredentials: password && { username: 'anybody', password },
    deviceScaleFactor: 1,
  })
  const page = await context.newPage()
  const messages = []
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && messages.push(message.text()))
  page.on('pageerror', (error) => messages.push(String(error)))
  page.on('dialog', (dialog) => (messages.push(`dialog: ${dialog.message()}`), dialog.dismiss()))
  page.on('requestfailed', (request) => messages.push(`failed: ${request.url()}`))
  const started = performance.now()
  const response = await page.goto(url, { waitUntil: 'load' })
  const millis = Math.round(performance.now() - started)
  const one = await page.evaluate(() => ({
    text: document.body.innerText,
    taken: document.documentElement.scrollWidth,
    styled: getComputedStyle(document.querySelector('header a') ?? document.body).fontWeight === '700',
    links: [...document.querySelectorAll('a[href]')].map((link) => link.href),
    elements: [...new Set([...document.querySelectorAll('body *')].map((node) => node.localName))].sort(),
  }))
  // What the page's policy forbids to the page, the developer tools may do.
  await page.evaluate(axe)
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'], preload: false }))
  const findings = violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => node.html).join(' ')}`)
  if (screenshot) await page.screenshot({ path: screenshot, fullPage: true })
  told.push({ url, status: response?.status() ?? 0, millis, messages, findings, ...one })
  await context.close()
}
await browser.close()
console.log(JSON.stringify(told))
