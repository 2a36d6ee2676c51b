import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js'

/** A client of the official SDK, connected to the server of a test. */
export interface McpClient {
  client: Client
  /** The answer of a tool that did its work. */
  call(name: string, args?: Record<string, unknown>): Promise<Json>
  /** What a tool says that could not. */
  fail(name: string, args?: Record<string, unknown>): Promise<string>
  toolNames(): Promise<string[]>
}

// oxlint-disable-next-line typescript/no-explicit-any -- answers have many shapes; assertions look at them
export type Json = Record<string, any>

export async function connectMcp(
  t: Pick<TestContext, 'after'>,
  url: string,
  headers: Record<string, string> = {},
): Promise<McpClient> {
  const client = new Client({ name: 'test', version: '1' })
  const transport = new StreamableHTTPClientTransport(new URL(`${url}/mcp`), {
    requestInit: { headers },
  })
  await client.connect(transport)
  t.after(() => client.close())
  return toMcpClient(client)
}

export function toMcpClient(client: Client): McpClient {
  const call = async (name: string, args: Record<string, unknown> = {}) => {
    // not the answer of an older protocol, which its type allows for
    const result = (await client.callTool({ name, arguments: args })) as CallToolResult
    const [first] = result.content
    return { ...result, text: first?.type === 'text' ? first.text : '' }
  }
  return {
    client,
    async call(name, args) {
      const { isError, text, structuredContent } = await call(name, args)
      assert.ok(!isError, text)
      return structuredContent as Json
    },
    async fail(name, args) {
      const { isError, text } = await call(name, args)
      assert.equal(isError, true, `${name} did its work: ${text}`)
      return text
    },
    toolNames: async () => (await client.listTools()).tools.map(({ name }) => name),
  }
}
