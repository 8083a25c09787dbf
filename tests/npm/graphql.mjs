// Checks GraphQL documents against GitHub's schema. Reads a JSON line {"query", "variables"} at a time from the
// standard input, and answers each with a line {"errors": [...]}.
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { buildSchema, getVariableValues, parse, validate } from 'graphql'

const file = fileURLToPath(new URL('node_modules/@octokit/graphql-schema/schema.graphql', import.meta.url))
const schema = buildSchema(readFileSync(file, 'utf8'), { assumeValidSDL: true })

function problems({ query, variables }) {
  let document
  try {
    document = parse(query)
  } catch (error) {
    return [error.message]
  }
  const found = validate(schema, document).map((error) => error.message)
  const operations = document.definitions.filter((definition) => definition.kind === 'OperationDefinition')
  if (operations.length !== 1) return [...found, `the document has ${operations.length} operations, not one`]
  const declared = operations[0].variableDefinitions ?? []
  if (found.length === 0) {
    const { errors = [] } = getVariableValues(schema, declared, variables ?? {})
    found.push(...errors.map((error) => error.message))
  }
  // A server ignores these: one of them is a misspelt name.
  const names = declared.map((definition) => definition.variable.name.value)
  for (const name of Object.keys(variables ?? {})) {
    if (!names.includes(name)) found.push(`Variable "$${name}" is given and not declared.`)
  }
  return found
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(JSON.stringify({ errors: problems(JSON.parse(line)) }) + '\n')
}
