// Starts a simulated GitHub, as its one argument says, and prints a JSON line when it is ready.
import { readFileSync } from 'node:fs'
import { createEmulator } from 'emulate'

const { port, owner, repo, file, admin, app, check } = JSON.parse(process.argv[2])
const baseUrl = `http://127.0.0.1:${port}`
const permissions = Object.fromEntries(
  ['contents', 'pull_requests', 'issues', 'checks', 'statuses', 'administration'].map((name) => [name, 'write']),
)

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
