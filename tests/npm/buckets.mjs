// Starts a simulated S3 with one bucket on a port, and prints a JSON line when it is ready.
import { createEmulator } from 'emulate'

const { port, bucket } = JSON.parse(process.argv[2])
const baseUrl = `http://127.0.0.1:${port}`
const emulator = await createEmulator({
  service: 'aws',
  port,
  hostname: '127.0.0.1',
  baseUrl,
  seed: { aws: { s3: { buckets: [{ name: bucket }] } } },
})
console.log(JSON.stringify({ url: emulator.url }))
