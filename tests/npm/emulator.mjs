// Starts a simulated GitHub, as its one argument says, and prints a JSON line when it is ready.
import { readFileSync } from 'node:fs'
import { Server } from 'node:http'
import { createEmulator } from 'emulate'

const { port, owner, repo, file, admin, app, check } = JSON.parse(process.argv[2])
const baseUrl = `http://127.0.0.1:${port}`
const permissions = Object.fromEntries(
  ['contents', 'pull_requests', 'issues', 'checks', 'statuses', 'administration'].map((name) => [name, 'write']),
)

const bot = `${app.slug}[bot]`

// Whose a token of an installation is, GitHub tells by GraphQL, and refuses to tell by REST. The emulator has no GraphQL, and
// names the account that has the App installed.
const emit = Server.prototype.emit
Server.prototype.emit = function (event, request, response) {
  const isInstallation = event === 'request' && request.headers.authorization?.includes('ghs_')
  if (isInstallation && request.url === '/user') {
    say(response, 403, { message: 'Resource not accessible by integration' })
  } else if (isInstallation && request.url === '/graphql') {
    tellViewer(request, response)
  } else {
    return emit.apply(this, arguments)
  }
  return true
}
function say(response, status, body) {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
async function tellViewer(request, response) {
  let body = ''
  for await (const chunk of request) body += chunk
  if (!body.includes('viewer')) return say(response, 404, { message: 'Not Found' })
  const user = await fetch(`${baseUrl}/users/${encodeURIComponent(bot)}`)
  say(response, 200, { data: { viewer: { databaseId: (await user.json()).id, login: bot } } })
}

const emulator = await createEmulator({
  service: 'github',
  port,
  hostname: '127.0.0.1',
  baseUrl,
  seed: {
    tokens: { [admin]: { login: owner, scopes: ['repo'] } },
    github: {
      baseUrl,
      // Whoever comes with a token that is not known acts as the first user, so that one may do nothing.
      users: [
        { login: 'nobody', name: 'Nobody', email: 'nobody@example.test' },
        { login: owner, name: 'Owner', email: 'owner@example.test' },
        { login: bot, name: app.slug, email: 'bot@example.test' },
      ],
      repos: [{ owner, name: repo, default_branch: 'main', private: true, auto_init: true }],
      apps: [
        {
          app_id: app.id,
          slug: app.slug,
          name: app.slug,
          private_key: readFileSync(app.private_key, 'utf8'),
          permissions: { ...permissions, metadata: 'read' },
          events: [],
          installations: [
            {
              installation_id: app.installation,
              account: owner,
              repository_selection: 'selected',
              repositories: [`${owner}/${repo}`],
            },
          ],
        },
      ],
    },
  },
})

// What a seed cannot say.
async function put(path, body) {
  const response = await fetch(`${emulator.url}/repos/${owner}/${repo}/${path}`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${admin}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (!response.ok) throw new Error(`PUT ${path}: ${response.status} ${await response.text()}`)
}
await put(`contents/${file.path}`, {
  message: 'add a file',
  content: Buffer.from(file.text).toString('base64'),
  branch: 'main',
})
await put('branches/main/protection', {
  required_status_checks: { strict: false, contexts: [check] },
  enforce_admins: true,
  required_pull_request_reviews: null,
  restrictions: null,
})

console.log(JSON.stringify({ url: emulator.url }))
